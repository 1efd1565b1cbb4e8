# cmake -DOUT=FILE.cpp [-DPAGE=DIR] -P embed.cmake
# Writes a C++ source that holds the files of the web phone; without PAGE, one that holds none.

include(${CMAKE_CURRENT_LIST_DIR}/../../cmake/literal.cmake)

set(files "")
set(constants "")

function(embed name path media_type file)
  literal(${file} text size)
  set(constants "${constants}constexpr std::string_view ${name}{\n    ${text},\n    ${size}};\n" PARENT_SCOPE)
  set(files "${files}          {\"${path}\", \"${media_type}\", ${name}},\n" PARENT_SCOPE)
endfunction()

if(PAGE)
  embed(kIndex / "text/html; charset=utf-8" ${PAGE}/index.html)
  embed(kStyle /phone.css "text/css; charset=utf-8" ${PAGE}/phone.css)
  embed(kScript /phone.js "text/javascript; charset=utf-8" ${PAGE}/phone.js)
  embed(kIcon /icon.svg "image/svg+xml" ${PAGE}/icon.svg)
endif()

file(WRITE ${OUT}.new "#include \"web_phone.hpp\"\n\n#include <string_view>\n\nnamespace trunkline {\nnamespace {\n\n"
  "${constants}\n}  // namespace\n\nstd::vector<io::WebFile> web_phone_files() {\n  return {\n${files}  };\n}\n\n"
  "}  // namespace trunkline\n")
file(RENAME ${OUT}.new ${OUT})
