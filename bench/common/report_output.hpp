// Where a load client's reports go.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "common/base/error.hpp"

namespace mpb::load {

struct CloseFile {
  void operator()(std::FILE* file) const {
    if (file != stdout) std::fclose(file);
  }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

/// Opens the file of --json: none for an empty name, standard output for "-". To be called before
/// the run, so that a bad path is known at once.
Result<File> open_json(const std::string& name);

/// Standard output is the JSON's alone when it goes there. False: could not write.
bool write_reports(const std::string& text, const std::string& object, std::FILE* json);

}  // namespace mpb::load
