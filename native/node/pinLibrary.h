#pragma once

namespace natgrad {

// Keeps the addon mapped until the process ends. Node unloads an addon with the last worker thread that used it, while
// threads of the pool, which belong to the process, still wait inside its code.
void pinLibrary();

}  // namespace natgrad
