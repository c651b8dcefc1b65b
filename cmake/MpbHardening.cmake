# What programs that face the network are built with, where they are built to be installed (not
# Debug, no sanitizer): tools/check_hardening looks for it in the programs, docs/decisions/0021 has
# the reasons and the cost.
include(CheckCXXCompilerFlag)

function(mpb_harden target)
  set(flags -fPIE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -D_GLIBCXX_ASSERTIONS)
  foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
               -ftrivial-auto-var-init=zero)
    string(MAKE_C_IDENTIFIER "MPB_HAS${flag}" known)
    check_cxx_compiler_flag(${flag} ${known})
    if(${known})
      list(APPEND flags ${flag})
    endif()
  endforeach()
  target_compile_options(${target} INTERFACE ${flags})
  target_link_options(${target} INTERFACE -pie LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack)
  if(MPB_HAS_fcf_protection_full)
    # Said to the linker, too: the start files of Debian's C library do not say it of themselves.
    target_link_options(${target} INTERFACE LINKER:-z,ibt LINKER:-z,shstk)
  endif()
endfunction()

if(NOT MPB_SANITIZE AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  mpb_harden(mpb_build_flags)
endif()
