// The status answer as tables for people.
#pragma once

#include <cstdint>
#include <string>

#include <boost/json/object.hpp>

namespace mpb::ctl {

/// "850ms", "59s", "3m20s", "2h5m", "4d3h": two units at most.
std::string short_time(std::uint64_t milliseconds);
/// "512 B", "1.5 KiB", "12.0 MiB".
std::string short_size(std::uint64_t bytes);

/// "2", and "2+" for an extra worker, which goes when it is not needed.
std::string worker_name(const boost::json::object& worker);
/// The most datagrams that waited, "9/8": at the broker, at the worker.
std::string queue_text(const boost::json::object& worker);
/// One line: version, state, how many workers and clients.
std::string summary_text(const boost::json::object& status);
/// The summary, the listeners, the workers, the dispatch.
std::string status_text(const boost::json::object& status);

}  // namespace mpb::ctl
