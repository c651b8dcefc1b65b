// Writes into the documents of a source tree what they say of options: see tools/documents.
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "packaging/documents/document_files.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: mpb_documents SOURCE_FOLDER\n";
    return EXIT_FAILURE;
  }
  for (const mpb::documents::DocumentFile& file : mpb::documents::document_files()) {
    const std::string path = fmt::format("{}/{}", argv[1], file.path);
    std::ostringstream before;
    before << std::ifstream(path).rdbuf();
    const std::string text = file.written(before.str());
    if (text.empty() || !(std::ofstream(path) << text)) {
      std::cerr << "mpb_documents: cannot write " << path
                << ", or the lines are not there between which options stand\n";
      return EXIT_FAILURE;
    }
  }
  return EXIT_SUCCESS;
}
