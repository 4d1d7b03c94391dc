// The abusers of overload-test: each kind does one bad thing for ever, and knows what the server
// owes it for that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/system/overload_crowd.h"

namespace tokend::testing {

// What the server was started with, as far as abusers stand at it.
struct OverloadLimits {
  size_t message_bytes_max = 0;
  size_t many_max = 0;
  size_t nesting_max = 0;
};

// One bad message, or one at a limit, and what it is owed.
struct HostileMessage {
  std::string name;
  std::string bytes;
  std::string code;  // "ok", an error's code, or "protocol_error" and the end of the connection
};
std::vector<HostileMessage> HostileMessages(const OverloadLimits& limits);

// The token with the longest answer there is: 64 scopes of 128 bytes.
inline constexpr std::string_view kFatToken = "the fat token";
std::vector<std::string> FatScopes();

// Does nothing, and is served when it asks at last.
class IdlePeer : public Peer {
 public:
  using Peer::Peer;
  void Ask();
  size_t pongs() const { return pongs_; }
  bool was_closed() const { return was_closed_; }

 private:
  void Act() override {}
  void OnMessage(std::string_view message) override;
  void OnClosed() override { was_closed_ = true; }
  bool ConnectsAgain() const override { return false; }

  size_t pongs_ = 0;
  bool was_closed_ = false;
};

// A byte at each turn: every request is answered when it is whole.
class SlowWriter : public Peer {
 public:
  using Peer::Peer;
  size_t answered() const { return answered_; }

 private:
  void Act() override;
  void OnMessage(std::string_view message) override;
  void OnClosed() override;

  size_t at_ = 0;
  size_t answered_ = 0;
};

// A byte at each turn of a message that has no end in sight: closed for that.
class EndlessWriter : public Peer {
 public:
  using Peer::Peer;
  size_t closed() const { return closed_; }

 private:
  void Act() override;
  void OnMessage(std::string_view message) override;
  void OnClosed() override;

  bool has_begun_ = false;
  size_t closed_ = 0;
};

// Asks for long answers as long as the server takes requests and never reads one: closed for that.
class NeverReader : public Peer {
 public:
  using Peer::Peer;
  size_t closed() const { return closed_; }

 private:
  void Act() override;
  void OnMessage(std::string_view /*message*/) override {}
  void OnClosed() override { ++closed_; }
  bool Reads() const override { return false; }

  size_t closed_ = 0;
};

// The same, and takes some KiB at each turn: it gets every answer.
class SlowReader : public Peer {
 public:
  using Peer::Peer;
  size_t asked() const { return asked_; }
  size_t answered() const { return answered_; }
  // From here on it only reads.
  void AskNoMore() { asks_ = false; }

 private:
  void Act() override;
  void OnMessage(std::string_view message) override;
  void OnClosed() override;
  bool Reads() const override { return false; }

  bool asks_ = true;
  size_t asked_ = 0;
  size_t answered_ = 0;
};

// Asks for tokens that nobody has, many at a time.
class Flooder : public Peer {
 public:
  Flooder(Crowd* crowd, uint32_t number) : Peer(crowd), number_(number) {}
  size_t answered() const { return answered_; }

 private:
  void Act() override;
  void OnMessage(std::string_view message) override;
  void OnClosed() override;

  const uint32_t number_;
  uint32_t next_ = 0;
  size_t missing_ = 0;
  size_t answered_ = 0;
};

// Sends the hostile messages one after another, and looks what comes of each.
class HostilePeer : public Peer {
 public:
  HostilePeer(Crowd* crowd, const std::vector<HostileMessage>* messages, size_t first)
      : Peer(crowd), messages_(*messages), next_(first) {}
  size_t told() const { return told_; }

 private:
  void Act() override;
  void OnMessage(std::string_view message) override;
  void OnClosed() override;

  const std::vector<HostileMessage>& messages_;
  size_t next_;
  const HostileMessage* waits_for_ = nullptr;
  bool was_told_ = false;
  size_t told_ = 0;
};

}  // namespace tokend::testing
