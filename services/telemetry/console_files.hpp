#pragma once
#include <span>
#include <string_view>

namespace trunkline::telemetry {

/// A file of the console, built into the program from the folder `console`.
struct ConsoleFile {
  std::string_view path, media_type, content;  ///< "/console.css"; index.html is "/"
  std::string_view tag;                        ///< of the content: an ETag, in quotes
};

std::span<const ConsoleFile> console_files();

}  // namespace trunkline::telemetry
