#pragma once
#include "io/settings.hpp"

#include <vector>

namespace trunkline {

/// The files of the web phone, built into the program; empty when it was built without.
std::vector<io::WebFile> web_phone_files();

}  // namespace trunkline
