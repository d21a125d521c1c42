// libcuda: streams and events.
#include "functions.h"
#include "state.h"
#include "stream.h"

using namespace natgrad::fakeCuda;

int cuStreamCreate(void** stream, unsigned) {
  const Call call("cuStreamCreate", Library::driver);
  if (call.fault() != 0) return call.fault();
  *stream = createStream();
  return 0;
}

int cuStreamDestroy_v2(void* stream) {
  const Call call("cuStreamDestroy_v2", Library::driver);
  if (call.fault() == driverInvalidContext) return call.fault();
  destroyStream(static_cast<Stream*>(stream));
  return call.fault();
}

int cuStreamSynchronize(void* stream) {
  const Call call("cuStreamSynchronize", Library::driver);
  if (call.fault() != 0) return call.fault();
  return finishStream(stream) ? 0 : driverInvalidHandle;
}

int cuEventCreate(void** event, unsigned) {
  const Call call("cuEventCreate", Library::driver);
  if (call.fault() != 0) return call.fault();
  *event = createEvent();
  return 0;
}

int cuEventDestroy_v2(void* event) {
  const Call call("cuEventDestroy_v2", Library::driver);
  if (call.fault() == driverInvalidContext) return call.fault();
  destroyEvent(static_cast<Event*>(event));
  return call.fault();
}

int cuEventRecord(void* event, void* stream) {
  const Call call("cuEventRecord", Library::driver);
  if (call.fault() != 0) return call.fault();
  return recordEvent(event, stream) ? 0 : driverInvalidHandle;
}

int cuEventSynchronize(void* event) {
  const Call call("cuEventSynchronize", Library::driver);
  if (call.fault() != 0) return call.fault();
  return finishEvent(event) ? 0 : driverInvalidHandle;
}

int cuStreamWaitEvent(void* stream, void* event, unsigned) {
  const Call call("cuStreamWaitEvent", Library::driver);
  if (call.fault() != 0) return call.fault();
  return waitForEvent(stream, event) ? 0 : driverInvalidHandle;
}
