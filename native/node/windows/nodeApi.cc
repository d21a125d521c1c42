// Node-API, which lives in the program that loads the addon. An import table would have to name that program node.exe, but it may be
// called anything (Electron, a single executable application, a renamed node), and linkers' delayed imports lose floating-point arguments of
// a first call. So the places in which the linker of a table looks are filled here, before anything of the addon runs.
#include <windows.h>

namespace {

// libnode.dll is where a Node that was built as a library has it.
HMODULE node() {
  const HMODULE library = GetModuleHandleW(L"libnode.dll");
  return library != nullptr ? library : GetModuleHandleW(nullptr);
}

}  // namespace

// The compiler's name for the address of a function that is declared as imported. It stays null where this Node lacks the function.
#define NATGRAD_NODE_API(name)    \
  extern "C" FARPROC __imp_##name; \
  FARPROC __imp_##name = GetProcAddress(node(), #name);
#include "nodeApiFunctions.inc"
