// A connection's stream, whatever is spoken on it: reading into the loop's one buffer, output that
// is tried at once and queued only where the peer is slow, and an orderly end.
//
//   open ──Finish()──► finishing: reads no more, waits until what is under way is answered ─┐
//     └──CloseAfterFlush()──► flushing: what comes is thrown away, output goes out ─────────┤
//                                                                                           ▼
//   closed ◄── the peer closes too, or a moment has passed ── lingering: our side is shut ◄─┘
//     ▲
//     └── Close(), from anywhere: at once
//
// Lingering is there because a close with bytes unread makes the kernel send a reset, which can
// overtake the last answer. A finishing stream with nothing unread closes without it.
//
// Loop thread only. A stream is never freed under its own feet: Close() hands it to its loop, which
// frees it before it sleeps.
#pragma once

#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/tls.h"
#include "server/uv_handle.h"

namespace tokend {

class Loop;

// Names a stream for those who may find it gone: a slot is used again, a generation is not.
struct StreamRef {
  uint32_t slot = 0;
  uint32_t generation = 0;

  friend bool operator==(const StreamRef&, const StreamRef&) = default;
};

class Stream {
 public:
  Stream(Loop& loop, StreamRef ref);
  virtual ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Takes the connection that waits at `listener` and starts to read. 0, or a libuv error. With
  // `tls` nothing is taken or sent before the handshake is over.
  int Accept(uv_stream_t* listener, std::shared_ptr<const TlsContext> tls);

  StreamRef ref() const { return ref_; }
  Loop& loop() const { return loop_; }
  // Whether requests are still taken.
  bool open() const { return state_ == State::kOpen; }
  bool closed() const { return state_ == State::kClosed; }
  // Whether answers still go out.
  bool takes_answers() const { return state_ == State::kOpen || state_ == State::kFinishing; }

  // Where the peer is: an address without its port, of IPv6 the network; or "unix".
  std::string PeerAddress();
  // With its port, or its user: "10.0.0.7:41522", "[::1]:41522", "unix:1000".
  std::string PeerEndpoint();

  // What Flush() will send. Append to it at any time. On TLS it is sealed then, all at once.
  std::string& output() { return output_; }
  // Bytes that the peer has not taken yet.
  size_t output_bytes() const { return output_.size() + writing_bytes_; }
  // Tries to send at once what is in output(); the rest is queued.
  void Flush();

  void Finish();
  void CloseAfterFlush();
  void Close();

  // Tells the peer that it cannot be served, and closes.
  virtual void Refuse(std::string_view why) = 0;

  // From the loop's timer: closes what has run out of time.
  void Sweep(uint64_t steady_ms);

 protected:
  // A peer is there, and nothing was read of it yet; again once its handshake is over.
  virtual void OnAccepted() {}
  // Bytes that have come; they live until this returns, or, where validates were gathered from
  // them, until those are run. Only while open().
  virtual void OnBytes(std::string_view bytes) = 0;
  // The peer has taken output: what waited for that may go on.
  virtual void OnOutputTaken() = 0;
  // Whether much has come of a message whose end has not: of those, one is read in a turn.
  virtual bool IsInLongMessage() const { return false; }
  // Whether answers are still to come.
  virtual bool HasWork() const = 0;
  // Whether something other than the stream itself has run out of time. `active`: bytes have come
  // or waited to go out since the last call.
  virtual bool IsOverdue(uint64_t steady_ms, bool active) = 0;

  // Whom the peer's certificate names.
  std::vector<std::string> PeerNames() const;
  // Of a peer on a unix socket.
  std::optional<uid_t> PeerUser();
  void StartReading();
  void StopReading();
  // In the states that wait for it: ends if nothing is under way any more.
  void EndIfDone();
  // Says how many bytes of input are kept. False if all connections together keep too much.
  [[nodiscard]] bool SetInputBytes(size_t bytes);

 private:
  enum class State : uint8_t { kOpen, kFinishing, kFlushing, kLingering, kClosed };

  static void OnAlloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buffer);
  static void OnRead(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer);
  static void OnWritten(uv_write_t* request, int status);
  // Handles what has come on TLS.
  void OnSealed(std::string_view sealed);
  void OnTlsFailed();
  // Whether what it has sent so far is not a whole handshake.
  bool is_in_handshake() const { return tls_ != nullptr && !tls_->established(); }
  // What is in output() becomes what goes over the wire. False if that failed.
  [[nodiscard]] bool SealOutput();
  // Of TLS: sends what says that no more comes, or why, if the socket takes it at once.
  void SayEnd();
  uv_stream_t* stream() { return &handle_.get()->stream; }
  void Queue(size_t sent);
  void Linger();
  bool HasUnread();
  bool UpdateCharge();

  Loop& loop_;
  const StreamRef ref_;
  UvHandle<UvStreamHandle> handle_;
  std::unique_ptr<TlsSession> tls_;  // null = plain
  uint64_t accepted_ms_ = 0;         // of the steady clock
  uint64_t record_since_ms_ = 0;     // that is not whole; 0 = there is none
  State state_ = State::kOpen;
  bool reading_ = false;
  bool peer_done_ = false;  // it has shut its side
  bool active_ = false;     // bytes have come, or waited to go out, since the last sweep
  bool counted_ = false;    // in the number of connections
  std::string output_;
  size_t writing_bytes_ = 0;       // held by a write request that is under way; 0 = none is
  bool reads_much_ = false;        // at its last read
  uint64_t read_turn_ = 0;         // turn of the loop in which it last read
  uint64_t long_round_ = 0;        // the same of Loop::MayReadLong() and MayShakeHands()
  size_t writing_left_ = 0;        // unsent of those at the last sweep
  uint64_t stalled_since_ms_ = 0;  // 0 = not stalled at the last sweep
  uint64_t linger_until_ms_ = 0;
  size_t input_bytes_ = 0;
  size_t charged_bytes_ = 0;  // what of this stream is in ServerContext::buffered_bytes
};

}  // namespace tokend
