// What the operator is told of the shared tables, as JSON. Bytes that are no UTF-8 are shown as
// \xNN.
#pragma once

#include <boost/json/object.hpp>

#include "broker/operator/control_request.hpp"
#include "common/base/error.hpp"
#include "common/tables/table_store.hpp"

namespace mpb {

/// The tables, each with its sizes.
boost::json::object list_of_tables(const TableStore& store);
/// Of Action::kShow and kGet; an error: there is no such entry.
Result<boost::json::object> contents(const TableStore& store, const TableRequest& request,
                                     TimePoint now);
/// Of Action::kPut and kErase; its views are those of the request.
channel::TableOperation operation_of(const TableRequest& request);
/// Why it was not done, for people.
Error refusal_of(const TableRequest& request, const TableResult& result);
/// For those who watch the table.
boost::json::object event_of(const channel::TableChange& change);

}  // namespace mpb
