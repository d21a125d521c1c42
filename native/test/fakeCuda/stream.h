// Streams whose work is done only when somebody waits for it.
#pragma once

#include <cstddef>
#include <functional>

namespace natgrad::fakeCuda {

struct Stream;
struct Event;

Stream* createStream();
void destroyStream(Stream* stream);  // its work is done first
Event* createEvent();
void destroyEvent(Event* event);

// Does the work later, in the name of the current call. [host, host + bytes) is page-locked memory that the work reads
// or writes; null for none. False, after a violation, if there is no such stream.
bool enqueue(void* stream, std::function<void()> work, const void* host = nullptr, size_t bytes = 0);

bool finishStream(void* stream);
void finishAllStreams();

bool recordEvent(void* event, void* stream);
bool finishEvent(void* event);
bool waitForEvent(void* stream, void* event);

// Whether work that is not done yet reads or writes a part of this page-locked memory.
bool isInFlight(const void* host, size_t bytes);

}  // namespace natgrad::fakeCuda
