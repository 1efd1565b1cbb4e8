# cmake -DOUT=FILE.cpp -P embed.cmake FILE...
# Writes a C++ source that holds these files of the console, each with a tag that follows its content.
include(${CMAKE_CURRENT_LIST_DIR}/../../../cmake/literal.cmake)

set(TYPE_html "text/html; charset=utf-8")
set(TYPE_css "text/css; charset=utf-8")
set(TYPE_js "text/javascript; charset=utf-8")
set(TYPE_svg "image/svg+xml")

set(files "")
math(EXPR last "${CMAKE_ARGC} - 1")
set(begun NO)
foreach(at RANGE ${last})
  set(file ${CMAKE_ARGV${at}})
  if(begun)
    get_filename_component(name ${file} NAME)
    get_filename_component(extension ${file} LAST_EXT)
    string(SUBSTRING "${extension}" 1 -1 extension)
    if(NOT TYPE_${extension})
      message(FATAL_ERROR "${file}: no media type for .${extension}")
    endif()
    file(SHA256 ${file} hash)
    string(SUBSTRING ${hash} 0 16 tag)
    literal(${file} text size)
    set(path "/${name}")
    if(name STREQUAL "index.html")
      set(path "/")
    endif()
    string(APPEND files "    {\"${path}\", \"${TYPE_${extension}}\",\n     {${text},\n      ${size}},\n     \"\\\"${tag}\\\"\"},\n")
  elseif(file MATCHES "embed\\.cmake$")
    set(begun YES)
  endif()
endforeach()

file(WRITE ${OUT}.new "#include \"telemetry/console_files.hpp\"\n\nnamespace trunkline::telemetry {\nnamespace {\n\n"
  "constexpr ConsoleFile kFiles[] = {\n${files}};\n\n}  // namespace\n\n"
  "std::span<const ConsoleFile> console_files() {\n  return kFiles;\n}\n\n}  // namespace trunkline::telemetry\n")
file(RENAME ${OUT}.new ${OUT})
