#include "broker/operator/json_line.hpp"

#include <boost/json/serialize.hpp>

#include "common/base/plain_text.hpp"

namespace mpb {

std::string json_line(const boost::json::object& object) {
  // What is not plain stands within strings, so an escape can stand for it.
  return plain_json(boost::json::serialize(object)) + '\n';
}

}  // namespace mpb
