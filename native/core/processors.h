// How many processors this process may keep busy.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace natgrad {

// The text of a file, or nothing where there is none.
using ReadText = std::function<std::optional<std::string>(const std::string& path)>;

// The processors of the machine; on Linux of these only the ones in the affinity mask of the process, and at most as
// many, rounded up, as its control groups, which are what containers are made of, grant processor time for. At least 1.
unsigned availableProcessors();

// The same for a machine with that many processors and those files.
unsigned availableProcessors(unsigned machine, const ReadText& read);

}  // namespace natgrad
