// floor-server: the least that a server on libuv can cost. One loop, one read buffer for all
// connections; requests are cut by their fixed size, unread but for the msgid; answers of a fixed
// size go out in one uv_try_write a read. No parsing, no look-up, no allocation: what is left is
// the kernel and the loop, and so what tokend's own work is measured against.
//
// Usage: floor-server PORT, or floor-server unix:PATH
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "bench/floor.h"

namespace tokend::bench {
namespace {

constexpr size_t kReadBytes = 64 << 10;
char read_buffer[kReadBytes + kFloorRequestBytes];
char write_buffer[(kReadBytes / kFloorRequestBytes + 1) * kFloorAnswerBytes];

union Listener {
  uv_stream_t stream;
  uv_tcp_t tcp;
  uv_pipe_t pipe;
};

struct Connection {
  Listener handle;
  size_t unfinished_bytes = 0;
  char unfinished[kFloorRequestBytes];  // the front of a request that a read ended in
};

[[noreturn]] void Fail(const char* what, int error) {
  std::fprintf(stderr, "floor-server: %s: %s\n", what, uv_strerror(error));
  std::exit(1);
}

void Check(int error, const char* what) {
  if (error < 0) Fail(what, error);
}

Connection* ConnectionOf(uv_handle_t* handle) { return static_cast<Connection*>(handle->data); }

void Close(uv_stream_t* stream) {
  uv_close(reinterpret_cast<uv_handle_t*>(stream),
           [](uv_handle_t* handle) { std::unique_ptr<Connection>(ConnectionOf(handle)).reset(); });
}

// What was cut off last time goes in front; the read lands behind it.
void OnAllocate(uv_handle_t* handle, size_t /*suggested*/, uv_buf_t* buffer) {
  const Connection* connection = ConnectionOf(handle);
  std::memcpy(read_buffer, connection->unfinished, connection->unfinished_bytes);
  *buffer = uv_buf_init(read_buffer + connection->unfinished_bytes, kReadBytes);
}

void OnRead(uv_stream_t* stream, ssize_t received, const uv_buf_t* /*buffer*/) {
  if (received < 0) {
    Close(stream);
    return;
  }
  Connection* connection = ConnectionOf(reinterpret_cast<uv_handle_t*>(stream));
  const size_t bytes = connection->unfinished_bytes + static_cast<size_t>(received);
  const size_t requests = bytes / kFloorRequestBytes;
  for (size_t i = 0; i < requests; ++i) {
    char* answer = write_buffer + i * kFloorAnswerBytes;
    std::memcpy(answer, kFloorAnswer, kFloorAnswerBytes);
    std::memcpy(answer + kFloorMsgidOffset,
                read_buffer + i * kFloorRequestBytes + kFloorMsgidOffset, kFloorMsgidBytes);
  }
  connection->unfinished_bytes = bytes % kFloorRequestBytes;
  std::memcpy(connection->unfinished, read_buffer + requests * kFloorRequestBytes,
              connection->unfinished_bytes);
  if (requests == 0) return;
  uv_buf_t out = uv_buf_init(write_buffer, static_cast<unsigned>(requests * kFloorAnswerBytes));
  // A closed loop never fills the socket's buffer; who does, is hung up on.
  if (uv_try_write(stream, &out, 1) != static_cast<int>(out.len)) Close(stream);
}

void OnConnection(uv_stream_t* server, int status) {
  Check(status, "accept");
  auto connection = std::make_unique<Connection>();
  if (server->type == UV_TCP) {
    uv_tcp_init(server->loop, &connection->handle.tcp);
  } else {
    uv_pipe_init(server->loop, &connection->handle.pipe, 0);
  }
  uv_stream_t* stream = &connection->handle.stream;
  stream->data = connection.release();
  Check(uv_accept(server, stream), "accept");
  if (server->type == UV_TCP) uv_tcp_nodelay(reinterpret_cast<uv_tcp_t*>(stream), 1);
  Check(uv_read_start(stream, OnAllocate, OnRead), "read");
}

int Serve(std::string_view address) {
  uv_loop_t* loop = uv_default_loop();
  Listener listener;
  constexpr std::string_view kUnix = "unix:";
  if (address.starts_with(kUnix)) {
    Check(uv_pipe_init(loop, &listener.pipe, 0), "pipe");
    Check(uv_pipe_bind(&listener.pipe, address.data() + kUnix.size()), "bind");
  } else {
    sockaddr_in local{};
    Check(uv_ip4_addr("127.0.0.1", std::atoi(address.data()), &local), "address");
    Check(uv_tcp_init(loop, &listener.tcp), "socket");
    Check(uv_tcp_bind(&listener.tcp, reinterpret_cast<const sockaddr*>(&local), 0), "bind");
  }
  Check(uv_listen(&listener.stream, SOMAXCONN, OnConnection), "listen");
  return uv_run(loop, UV_RUN_DEFAULT);
}

}  // namespace
}  // namespace tokend::bench

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: floor-server PORT | unix:PATH\n");
    return 2;
  }
  return tokend::bench::Serve(argv[1]);
}
