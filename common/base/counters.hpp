// All that is counted, a line each: member, kind, name in the status, column of mpctl, help. The
// channel, the broker's sums, the status, mpctl's tables and its metrics walk these lists.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/base/counter.hpp"

namespace mpb {

// --- in the order of Pong on the channel (docs/channel-protocol.md): a change of these two lists
// is a change of the protocol version

// clang-format off
#define MPB_LISTENER_COUNTERS(X) \
  X(clients, kNow, "clients", "CLIENTS", "Clients of the listener: all descriptors.") \
  X(accepted, kCount, "accepted", "ACCEPTED", "Clients that were accepted.") \
  X(adopted, kCount, "handoffs.in", "IN", "Clients that came from another worker.") \
  X(handed_off, kCount, "handoffs.out", "OUT", "Clients that moved to another worker.") \
  X(kept, kCount, "handoffs.kept", "KEPT", "Clients that were offered and had to be kept.") \
  X(nacked, kCount, "handoffs.nacked", "NACKED", "Deliveries that were refused.") \
  X(retried, kCount, "handoffs.retried", "RETRIED", "Clients that were offered again.") \
  X(rejected_busy, kCount, "rejected.busy", "REJECTED", "Clients told that nobody can take them.") \
  X(rejected_input, kCount, "rejected.input", "REJECTED", "Clients that broke their protocol.") \
  X(rejected_header, kCount, "rejected.header", "REJECTED", "Clients that did not say in time whom they belong to.") \
  X(rejected_source, kCount, "rejected.source", "REJECTED", "Clients over clients-per-source.") \
  X(closed_idle, kCount, "closed.idle", "CLOSED", "Clients that sent nothing for idle-timeout.") \
  X(closed_slow, kCount, "closed.slow", "CLOSED", "Clients that did not read their answers.") \
  X(closed_unsettled, kCount, "closed.unsettled", "CLOSED", "Clients offered without a verdict within route-timeout.") \
  X(rejected_address, kCount, "rejected.address", "REJECTED", "Clients whose address the tables deny and allow refuse.")

#define MPB_WORKER_COUNTERS(X) \
  X(clients, kNow, "clients", "CLIENTS", "Clients that are served.") \
  X(held, kNow, "held", "", "All client descriptors.") \
  X(keys_owned, kNow, "keys", "KEYS", "Keys that are owned.") \
  X(accept_pauses, kCount, "accept_pauses", "", "Stops of accepting for want of descriptors or memory.") \
  X(queue_high_water, kPeak, "queue_high_water.worker", "", "Most datagrams that waited at the worker.") \
  X(table_operations, kCount, "tables.operations", "", "Changes of the shared tables that were asked for.") \
  X(table_refusals, kCount, "tables.refused", "", "Changes of the shared tables that were refused.") \
  X(table_waiting, kNow, "tables.waiting", "", "Changes of the shared tables that have no result yet.")

// --- of the broker

#define MPB_SLOT_COUNTERS(X) \
  X(uptime_ms, kNow, "uptime_ms", "", "Time since the process was started.") \
  X(restarts, kCount, "restarts", "RESTARTS", "Starts after the worker ended by itself or did not begin.") \
  X(in_flight, kNow, "in_flight", "", "Clients sent to the worker and not acknowledged yet.") \
  X(taken, kCount, "taken", "", "Clients sent to the worker that it has acknowledged.")

#define MPB_PROCESS_COUNTERS(X) \
  X(queue_high_water, kPeak, "queue_high_water.broker", "", "Most datagrams for the worker that waited at the broker.") \
  X(fds, kNow, "fds", "FDS", "Descriptors of the process.") \
  X(rss_bytes, kNow, "rss_bytes", "RSS", "Resident memory of the process.")

#define MPB_BROKER_COUNTERS(X) \
  X(fds, kNow, "fds", "", "Descriptors of mpbroker.") \
  X(rss_bytes, kNow, "rss_bytes", "", "Resident memory of mpbroker.") \
  X(cpu_ms, kCount, "cpu_ms", "", "CPU time of mpbroker.") \
  X(keys, kNow, "keys", "", "Keys with an owner.") \
  X(waiting, kNow, "waiting", "", "Clients that wait for room, a starting worker or credit.") \
  X(in_flight, kNow, "in_flight", "", "Clients sent somewhere and not acknowledged yet.") \
  X(forked, kCount, "forked", "", "Workers that a zygote has forked.") \
  X(turned_away, kCount, "turned_away", "", "Clients closed unheard while no worker accepted.") \
  X(descriptors_closing, kNow, "descriptors_closing", "", "Descriptors from workers that are being closed.") \
  X(log_dropped, kCount, "log_dropped", "", "Lines of the log that nobody took.") \
  X(tables, kNow, "tables.count", "", "Shared tables.") \
  X(table_entries, kNow, "tables.entries", "", "Entries of the shared tables.") \
  X(table_bytes, kNow, "tables.size_bytes", "", "What the entries of the shared tables take in memory, as their bound counts it.") \
  X(table_operations, kCount, "tables.operations", "", "Changes of the shared tables that were asked for.") \
  X(table_refusals, kCount, "tables.refused", "", "Changes of the shared tables that were refused.") \
  X(table_expiries, kCount, "tables.expired", "", "Entries of the shared tables whose time was over.") \
  X(table_snapshots, kCount, "tables.snapshots", "", "Copies of all shared tables sent anew to workers that read too slowly.")

#define MPB_CELL_COUNTERS(X) \
  X(running, kNow, "running", "", "Workers that serve one key or client, or wait for one.") \
  X(spare, kNow, "spare", "", "Those of them that wait ready.") \
  X(started, kCount, "started", "", "Cells that were started.") \
  X(keys, kCount, "keys", "", "Keys that got a cell.") \
  X(clients, kCount, "clients", "", "Clients that got a cell of their own.") \
  X(from_spare, kCount, "from_spare", "", "Keys and clients whose cell was ready.") \
  X(overflowed, kCount, "overflowed", "", "Clients for whom max-workers left no cell.") \
  X(crashed, kCount, "crashed", "", "Cells that ended otherwise than told.") \
  X(refused, kCount, "refused", "", "Clients refused while their key backed off.") \
  X(renewed, kCount, "renewed", "", "Cells that ended since they were older than rollover.")

#define MPB_DISPATCH_COUNTERS(X) \
  X(handoffs, kCount, "handoffs", "", "Offers that came, repeated ones included.") \
  X(delivered, kCount, "delivered", "", "Clients sent to another worker.") \
  X(kept, kCount, "kept", "", "Clients left to their origin.") \
  X(settled, kCount, "settled", "", "Clients adopted by the other worker.") \
  X(nacked, kCount, "nacked", "", "Clients refused by the worker they were sent to.") \
  X(retried, kCount, "retried", "", "Origins told to offer again.") \
  X(waited, kCount, "waited", "", "Offers that had to wait.") \
  X(waited_ms, kCount, "waited_ms", "", "Time that offers had to wait, once it is over.") \
  X(busy, kCount, "busy", "", "Offers refused for good.") \
  X(descriptors_lost, kCount, "descriptors_lost", "", "Offers whose descriptor was lost.")

#define MPB_TALK_COUNTERS(X) \
  X(posted, kCount, "letters.posted", "", "Letters that workers and operators have posted.") \
  X(delivered, kCount, "letters.delivered", "", "Letters sent on, one for each receiver.") \
  X(undeliverable, kCount, "letters.undeliverable", "", "Letters that did not arrive, one for each receiver.") \
  X(descriptors, kCount, "letters.descriptors", "", "Descriptors that were sent on with letters.") \
  X(queued, kNow, "letters.queued", "", "Letters that wait for their receiver.") \
  X(queued_bytes, kNow, "letters.queued_bytes", "", "Bytes of letters that wait for their receiver.") \
  X(events_lost, kCount, "letters.events_lost", "", "Events that a worker was not told since too much waited for it.")

// --- of handlers, in their answers to the operator's questions

#define MPB_HOOK_COUNTERS(X) \
  X(asked, kCount, "asked", "ASKED", "Requests that a client waited for.") \
  X(told, kCount, "told", "TOLD", "Other requests.") \
  X(refused, kCount, "refused", "REFUSED", "Requests that were refused, or had names that JSON cannot say.") \
  X(failed, kCount, "failed", "FAILED", "Requests without an answer that can be understood in time.") \
  X(dropped, kCount, "dropped", "DROPPED", "Requests that were not sent for want of a place or descriptor.") \
  X(under_way, kNow, "under_way", "UNDER WAY", "Requests that wait for their answer.") \
  X(waiting, kNow, "waiting", "WAITING", "Requests that wait to be sent.") \
  X(failures, kNow, "failures_in_a_row", "", "Failures since it answered last.")

#define MPB_UPSTREAM_COUNTERS(X) \
  X(clients, kNow, "clients", "CLIENTS", "Clients that are forwarded to it.") \
  X(served, kCount, "served", "", "Clients that it answered.") \
  X(failed, kCount, "failed", "FAILED", "Clients that it did not answer.") \
  X(failures, kNow, "failures_in_a_row", "IN A ROW", "Failures since it answered last.")
// clang-format on

/// Of one listener in one worker.
struct ListenerCounters {
  std::uint64_t listener = 0;  // its number
  MPB_COUNTERS(ListenerCounters, MPB_LISTENER_COUNTERS)
};

/// What a worker counts of itself.
struct WorkerCounters {
  MPB_COUNTERS(WorkerCounters, MPB_WORKER_COUNTERS)
};

/// What the broker knows of a slot.
struct SlotCounters {
  MPB_COUNTERS(SlotCounters, MPB_SLOT_COUNTERS)
};

/// What it knows besides where the slot has a process.
struct ProcessCounters {
  MPB_COUNTERS(ProcessCounters, MPB_PROCESS_COUNTERS)
};

/// What it knows of itself.
struct BrokerCounters {
  MPB_COUNTERS(BrokerCounters, MPB_BROKER_COUNTERS)
};

/// Of the workers that serve one key or one client.
struct CellCounters {
  MPB_COUNTERS(CellCounters, MPB_CELL_COUNTERS)
};

/// What became of offered clients.
struct DispatchCounters {
  MPB_COUNTERS(DispatchCounters, MPB_DISPATCH_COUNTERS)
};

/// Of the letters between workers.
struct TalkCounters {
  MPB_COUNTERS(TalkCounters, MPB_TALK_COUNTERS)
};

/// Of one web server in one worker.
struct HookCounters {
  MPB_COUNTERS(HookCounters, MPB_HOOK_COUNTERS)
};

/// Of one server that clients are forwarded to.
struct UpstreamCounters {
  MPB_COUNTERS(UpstreamCounters, MPB_UPSTREAM_COUNTERS)
};

}  // namespace mpb
