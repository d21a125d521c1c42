// A test double of libcuda, libcublas and libcusolver: it checks every argument of every call, defers work on streams
// as a device does, and computes the answer on the CPU.
//
// What it takes for a violation ends the process with a message (or is counted, see below): device memory used after it
// was freed or past its end, workspaces smaller than was asked for, handles that were destroyed, a thread without the
// context, page-locked memory freed under a copy, objects left when the context is released, host code that reads
// device memory. Work on a stream is done when somebody waits for it, so that a forgotten wait shows as stale data, and
// device memory that was never written holds NaN. The null stream and shared memory sized at the launch are refused:
// the back end uses neither.
//
// Environment variables, read when the library is first called and again by fakeCudaReset():
//   FAKE_CUDA_FAIL=name:n:code[,...]  call number n (from 1) of this function returns the code; "n+" that call and
//                                     all after it; the name "*" counts all functions together
//   FAKE_CUDA_LOST_AFTER=n            after n calls the device is lost: every later call fails
//   FAKE_CUDA_MEMORY=bytes            of the device, 2 GiB otherwise
//   FAKE_CUDA_DRIVER=version          as cuDriverGetVersion says it, 13000 otherwise
//   FAKE_CUDA_DEVICES=n               1 otherwise
//   FAKE_CUDA_COMPUTE=capability      compute capability, 90 otherwise
//   FAKE_CUDA_EXIT=strict             whatever is not released when the process ends is a violation
#pragma once

#include <cstddef>

extern "C" {

// Forgets faults, counts and recorded violations and reads the environment again; memory and handles stay.
void fakeCudaReset();

// Call number `nth` from now on (1 is the next one) of the function returns `code`, once; "*" counts all functions.
void fakeCudaFailCall(const char* name, long nth, int code);

// The device is lost after so many more calls; 0 is now, a negative number is never.
void fakeCudaLoseDevice(long calls);

void fakeCudaLimitMemory(size_t bytes);

// Calls of a function since the last reset, or of all functions together ("*").
long fakeCudaCalls(const char* name);

// With `record`, violations are counted instead of ending the process.
void fakeCudaRecordViolations(bool record);
long fakeCudaViolations();
const char* fakeCudaLastViolation();

// How many objects are alive (allocations, page-locked memory, streams, events, modules, handles, the context), and
// which, as text of at most `size` bytes; `text` may be null.
size_t fakeCudaReport(char* text, size_t size);
}
