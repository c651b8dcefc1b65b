#include "broker/json_line.hpp"

#include <boost/json/serialize.hpp>

#include "common/utf8.hpp"

namespace mpb {

std::string json_line(const boost::json::object& object) {
  // What is not ASCII stands within strings, so an escape can stand for it.
  return valid_utf8(boost::json::serialize(object), "\\ufffd") + '\n';
}

}  // namespace mpb
