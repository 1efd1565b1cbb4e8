# Warnings for our own targets only.
add_library(trunkline_warnings INTERFACE)
target_compile_options(trunkline_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wimplicit-fallthrough -Wswitch -Werror)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 sees uninitialized members in moved std::variant values that are not there (its bug 105562 and kin).
  target_compile_options(trunkline_warnings INTERFACE -Wno-maybe-uninitialized)
endif()

# What most files include of the standard library, for precompiled headers.
set(STANDARD_HEADERS <algorithm> <array> <chrono> <cstdint> <deque> <functional> <map> <memory> <optional> <string>
    <string_view> <unordered_map> <utility> <variant> <vector>)

# Files of a layer that are compiled together: their headers are then read once for all of them.
set(TRUNKLINE_TOGETHER 8 CACHE STRING "Files of a layer compiled together; 1: each by itself")
function(compile_together target)
  if(TRUNKLINE_TOGETHER GREATER 1)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${TRUNKLINE_TOGETHER})
  endif()
endfunction()

# layer(NAME FOLDER folder [DEPS layer...] [LIBS target...] [PRECOMPILED <header>...] [TOGETHER])
# One static library a folder. Its headers can be included only by targets that name it in DEPS: they are handed on by a
# separate interface target that is never passed further, so a sideways or upward include does not compile.
function(layer name)
  cmake_parse_arguments(L "TOGETHER" "FOLDER" "DEPS;LIBS;SOURCES;PRECOMPILED" ${ARGN})
  set(folder ${L_FOLDER})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.cpp)
  list(APPEND sources ${L_SOURCES})
  if(NOT sources)
    set(empty ${CMAKE_BINARY_DIR}/empty_${name}.cpp)
    file(WRITE ${empty} "")
    set(sources ${empty})
  endif()
  expose_headers(${name} ${name} ${folder})
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PRIVATE ${name}_headers trunkline_warnings)
  foreach(dep ${L_DEPS})
    target_link_libraries(${name} PRIVATE ${dep}_headers)
    if(TARGET ${dep})
      target_link_libraries(${name} INTERFACE ${dep})
    endif()
  endforeach()
  if(L_LIBS)
    target_link_libraries(${name} PUBLIC ${L_LIBS})
  endif()
  if(L_TOGETHER)
    compile_together(${name})
  endif()
  if(L_PRECOMPILED)
    target_precompile_headers(${name} PRIVATE ${L_PRECOMPILED})
    # g++ 12 no longer knows such a header for a system header, and warns of what it sees in std::string (its bug 105651).
    target_compile_options(${name} PRIVATE
      $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-restrict;-Wno-stringop-overflow;-Wno-stringop-overread>)
  endif()
endfunction()

# expose_headers(NAME PREFIX FOLDER [FILE...]): makes FOLDER's headers (or only the FILEs) includable as "PREFIX/x.hpp"
# through the interface target NAME_headers.
function(expose_headers name prefix folder)
  set(root ${CMAKE_BINARY_DIR}/include/${name})
  if(ARGN)
    file(MAKE_DIRECTORY ${root}/${prefix})
    foreach(file ${ARGN})
      file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${folder}/${file} ${root}/${prefix}/${file} SYMBOLIC)
    endforeach()
  else()
    file(MAKE_DIRECTORY ${root})
    file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${folder} ${root}/${prefix} SYMBOLIC)
  endif()
  add_library(${name}_headers INTERFACE)
  target_include_directories(${name}_headers INTERFACE ${root})
endfunction()
