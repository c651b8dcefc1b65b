"""How the report's figures are written."""


def table(rows):
    """Lines of right-aligned columns, the first one left-aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  " + "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                             for i, (cell, width) in enumerate(zip(row, widths)))
            for row in rows]


def milliseconds(microseconds):
    return f"{microseconds / 1000:.2f} ms"
