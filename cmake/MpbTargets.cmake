# How every target of the project is compiled: one place for warnings, sanitizers and include roots.
add_library(mpb_build_flags INTERFACE)
set(MPB_INCLUDE_ROOTS ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
target_include_directories(mpb_build_flags INTERFACE "$<BUILD_INTERFACE:${MPB_INCLUDE_ROOTS}>")
target_compile_options(mpb_build_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                                 -Wnon-virtual-dtor -Woverloaded-virtual)
if(MPB_SANITIZE)
  # Without UBSan's vptr check: it opens a pipe to probe memory, and so reports sound objects as
  # broken in a process at its descriptor limit, which tests bring about.
  target_compile_options(mpb_build_flags INTERFACE -fsanitize=${MPB_SANITIZE}
                                                   -fno-sanitize=vptr -fno-omit-frame-pointer
                                                   -fno-sanitize-recover=all)
  target_link_options(mpb_build_flags INTERFACE -fsanitize=${MPB_SANITIZE})
endif()

# mpb_library(NAME sources...): a static library with the project's flags.
function(mpb_library name)
  add_library(${name} STATIC ${ARGN})
  target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:mpb_build_flags>)
  target_include_directories(${name} PUBLIC "$<BUILD_INTERFACE:${MPB_INCLUDE_ROOTS}>")
endfunction()

# mpb_program(NAME sources...): an executable with the project's flags, in build/<preset>/bin.
function(mpb_program name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE mpb_build_flags)
endfunction()

# mpb_precompile(NAME headers...): what most of a target's files include, parsed once. What all of
# the project includes is among them.
function(mpb_precompile name)
  target_precompile_headers(${name} PRIVATE <fmt/format.h> <boost/system/result.hpp> <algorithm>
    <chrono> <functional> <map> <memory> <optional> <string> <string_view> <unordered_map> <vector>
    ${ARGN})
endfunction()
