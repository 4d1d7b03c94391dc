// Very many connections from one thread: each is a Peer with manners of its own, and the Crowd
// moves their bytes and gives them turns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tokend::testing {

class Crowd;

// One connection after another: a peer that was closed connects again at its next turn, if it
// wants to.
class Peer {
 public:
  explicit Peer(Crowd* crowd) : crowd_(*crowd) {}
  virtual ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // Whether the connection is open.
  bool open() const { return fd_ >= 0; }

 protected:
  // Its turn: may Send. Only while open().
  virtual void Act() = 0;
  // A whole message has come.
  virtual void OnMessage(std::string_view message) = 0;
  // The server has closed; what it had sent before has come.
  virtual void OnClosed() = 0;
  // Whether to connect again.
  virtual bool ConnectsAgain() const { return true; }
  // Whether what comes is read.
  virtual bool Reads() const { return true; }

  void Send(std::string_view bytes);
  // Reads at most so many bytes. For one that does not read by itself.
  void ReadSome(size_t bytes_max);
  // Bytes that the kernel has not taken yet.
  size_t unsent() const { return out_.size() - sent_; }
  void Fail(const std::string& what);
  Crowd& crowd() { return crowd_; }

 private:
  friend class Crowd;

  void Connect();
  void Close();
  void OnEvents(uint32_t events);
  // Gives what was read to OnMessage, message by message.
  void TakeMessages();
  void Write();
  void Watch();

  Crowd& crowd_;
  int fd_ = -1;
  uint32_t watched_ = 0;  // epoll's events
  std::string out_;
  size_t sent_ = 0;
  std::string in_;
};

// One thread's.
class Crowd {
 public:
  explicit Crowd(std::string address);
  ~Crowd();
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  template <typename P, typename... Args>
  P* Add(Args&&... args) {
    auto peer = std::make_unique<P>(this, std::forward<Args>(args)...);
    P* const added = peer.get();
    peers_.push_back(std::move(peer));
    return added;
  }
  void ConnectAll();
  void CloseAll();
  // For the next peers in their order, one after another: so many turns.
  void GiveTurns(size_t turns);
  // Moves bytes until none can be moved or `timeout_ms` has passed without any.
  void Pump(int timeout_ms);

  size_t size() const { return peers_.size(); }
  size_t open() const;
  const std::vector<std::string>& failures() const { return failures_; }

 private:
  friend class Peer;

  const std::string address_;
  const int epoll_;
  std::vector<std::unique_ptr<Peer>> peers_;
  size_t next_turn_ = 0;
  std::vector<std::string> failures_;
};

}  // namespace tokend::testing
