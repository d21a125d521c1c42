// Node-API lives in the program that loads the addon, which need not be called node.exe as the import table says: Electron,
// a single executable application, a renamed node. The table is therefore read at the first call of a function, and this
// answers for node.exe then.
//
// Source: Microsoft's "Notification hooks" of delay-loaded DLLs; libnode.dll is where a Node built as a library has it.
#include <windows.h>

#include <delayimp.h>

#include <cstring>

namespace {

FARPROC WINAPI findNode(unsigned notification, DelayLoadInfo* info) {
  if (notification != dliNotePreLoadLibrary || _stricmp(info->szDll, "node.exe") != 0) return nullptr;
  HMODULE node = GetModuleHandleW(L"libnode.dll");
  if (node == nullptr) node = GetModuleHandleW(nullptr);
  return reinterpret_cast<FARPROC>(node);
}

}  // namespace

PfnDliHook __pfnDliNotifyHook2 = findNode;
