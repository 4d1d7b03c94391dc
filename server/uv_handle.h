// Owners of what libuv and the kernel hand out.
//
// A libuv handle's memory belongs to the loop until its close callback has run, and a handle never
// moves. So UvHandle keeps it on the heap, asks for the close when it is destroyed, and the close
// callback frees it. Closing cuts `data` first: a callback that still comes (a write that is
// cancelled) finds nullptr there and knows that its owner is gone.
#pragma once

#include <unistd.h>
#include <uv.h>

#include <cassert>
#include <memory>
#include <utility>

namespace tokend {

// Loop thread only, as the handle is.
template <typename Handle>
class UvHandle {
 public:
  UvHandle() = default;
  ~UvHandle() { Close(); }
  UvHandle(UvHandle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  UvHandle& operator=(UvHandle&& other) noexcept {
    if (this != &other) {
      Close();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }

  // `init` calls uv_..._init on the handle that it is given. A handle that could not be initialised
  // is not the loop's, and is freed here.
  template <typename Init>
  int Open(void* data, Init&& init) {
    assert(handle_ == nullptr);
    auto handle = std::make_unique<Handle>();
    const int rc = init(handle.get());
    if (rc != 0) return rc;
    handle_ = handle.release();
    generic()->data = data;
    return 0;
  }

  void Close() {
    if (handle_ == nullptr) return;
    generic()->data = nullptr;
    uv_close(generic(), [](uv_handle_t* closed) { delete reinterpret_cast<Handle*>(closed); });
    handle_ = nullptr;
  }

  explicit operator bool() const { return handle_ != nullptr; }
  Handle* get() const { return handle_; }

 private:
  uv_handle_t* generic() const { return reinterpret_cast<uv_handle_t*>(handle_); }

  Handle* handle_ = nullptr;
};

// A TCP or a unix-socket stream, whichever it was opened as.
union UvStreamHandle {
  uv_handle_t handle;
  uv_stream_t stream;
  uv_tcp_t tcp;
  uv_pipe_t pipe;
};

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { Reset(); }
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

}  // namespace tokend
