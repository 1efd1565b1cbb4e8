#pragma once

namespace trunkline::call_control {

/// Keeps the queue that all of gRPC's callbacks share until the process ends. gRPC makes it for the
/// first server or channel with callbacks and ends it with the last; gRPC 1.51 sometimes aborts the
/// process in that end (an assertion on the queue's reference count).
void keep_callback_queue();

}  // namespace trunkline::call_control
