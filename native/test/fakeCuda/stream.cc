#include "stream.h"

#include <deque>
#include <vector>

#include "memory.h"
#include "state.h"

namespace natgrad::fakeCuda {

struct Work {
  const char* call;
  std::function<void()> run;
  const void* host;
  size_t bytes;
};

struct Stream {
  std::deque<Work> queue;
  size_t done = 0;  // pieces of work since the stream was made

  size_t enqueued() const { return done + queue.size(); }
};

struct Event {
  Stream* stream = nullptr;  // null before it is recorded
  size_t position = 0;       // pieces of work that come before it
};

namespace {

// All that were ever made: an event may outlive its stream.
std::vector<Stream*>& streams() {
  static auto* const all = new std::vector<Stream*>;
  return *all;
}

// Does the first pieces of work of a stream; what a lost device has not done is never done.
void finish(Stream& stream, size_t position) {
  const DeviceAccess access;
  while (stream.done < position) {
    const Work work = std::move(stream.queue.front());
    stream.queue.pop_front();
    ++stream.done;
    const InCall name(work.call);
    if (!deviceLost()) work.run();
  }
}

}  // namespace

Stream* createStream() {
  streams().push_back(makeForever<Stream>());
  addObject(streams().back(), Kind::stream);
  return streams().back();
}

void destroyStream(Stream* stream) {
  if (!removeObject(stream, Kind::stream)) return;
  finish(*stream, stream->enqueued());
}

Event* createEvent() {
  Event* const event = makeForever<Event>();
  addObject(event, Kind::event);
  return event;
}

void destroyEvent(Event* event) { removeObject(event, Kind::event); }

bool enqueue(void* stream, std::function<void()> work, const void* host, size_t bytes) {
  if (!checkObject(stream, Kind::stream)) return false;
  static_cast<Stream*>(stream)->queue.push_back({currentCall(), std::move(work), host, bytes});
  return true;
}

bool finishStream(void* stream) {
  if (!checkObject(stream, Kind::stream)) return false;
  Stream& one = *static_cast<Stream*>(stream);
  finish(one, one.enqueued());
  return true;
}

void finishAllStreams() {
  for (Stream* const stream : streams()) finish(*stream, stream->enqueued());
}

bool recordEvent(void* event, void* stream) {
  if (!checkObject(event, Kind::event) || !checkObject(stream, Kind::stream)) return false;
  Stream* const recorded = static_cast<Stream*>(stream);
  *static_cast<Event*>(event) = {recorded, recorded->enqueued()};
  return true;
}

bool finishEvent(void* event) {
  if (!checkObject(event, Kind::event)) return false;
  const Event& one = *static_cast<Event*>(event);
  if (one.stream != nullptr) finish(*one.stream, one.position);
  return true;
}

bool waitForEvent(void* stream, void* event) {
  if (!checkObject(event, Kind::event)) return false;
  const Event one = *static_cast<Event*>(event);
  return enqueue(stream, [one] {
    if (one.stream != nullptr) finish(*one.stream, one.position);
  });
}

bool isInFlight(const void* host, size_t bytes) {
  const char* p = static_cast<const char*>(host);
  for (Stream* const stream : streams()) {
    for (const Work& work : stream->queue) {
      const char* begin = static_cast<const char*>(work.host);
      if (begin != nullptr && begin < p + bytes && p < begin + work.bytes) return true;
    }
  }
  return false;
}

}  // namespace natgrad::fakeCuda
