# Compiles kernels.cu to PTX and writes it as a C++ string to kernels.ptx.inc, unless that is what it holds already: its first line names
# the hash of the sources. Run as: cmake -DNVCC=path -DFOLDER=native/cuda -P generateKernels.cmake
set(sources kernels.cu kernelList.h kernels/blocks.h kernels/matrices.h kernels/norms.h kernels/passes.h kernels/smallInverse.h)
set(hashes "")
foreach(source ${sources})
  file(SHA256 ${FOLDER}/${source} hash)
  string(APPEND hashes "${hash}\n")
endforeach()
string(SHA256 hash "${hashes}")

set(target ${FOLDER}/kernels.ptx.inc)
if(EXISTS ${target})
  file(STRINGS ${target} first LIMIT_COUNT 1)
  if(first STREQUAL "// ${hash}")
    return()
  endif()
endif()

execute_process(
  COMMAND ${NVCC} -std=c++17 -O3 -ptx -arch=compute_75 -o ${FOLDER}/kernels.ptx ${FOLDER}/kernels.cu
  RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "natgrad: nvcc could not compile kernels.cu")
endif()
file(READ ${FOLDER}/kernels.ptx text)
file(REMOVE ${FOLDER}/kernels.ptx)
# Nothing newer than PTX 6.3 (CUDA 10) is in it, so any driver from CUDA 11 on may have it.
string(REGEX REPLACE "\n//[^\n]*" "" text "${text}")
string(REGEX REPLACE "^//[^\n]*\n" "" text "${text}")
string(REGEX REPLACE "\\.version [0-9.]+" ".version 6.3" text "${text}")
string(REGEX REPLACE "\n\n+" "\n" text "${text}")
file(WRITE ${target} "// ${hash}\nR\"PTX(${text})PTX\"\n")
