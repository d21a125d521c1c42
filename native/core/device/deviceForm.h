// Which jobs a device takes.
#pragma once

#include "core/jobs.h"

namespace natgrad {

// Whether there is anything the device does for this job. What costs no more than a transfer is left to the host,
// unless it is on the device already; so are jobs and methods that nobody has written for a device.
bool hasDeviceForm(const Job& job, bool usesKept);

}  // namespace natgrad
