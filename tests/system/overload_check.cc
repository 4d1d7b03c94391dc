#include "tests/system/overload_check.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace tokend::testing {

void OverloadCheck::Until(const std::string& what, const std::function<void()>& step,
                          const std::function<bool()>& holds) {
  const uint64_t deadline_ns = SteadyNs() + kPatienceNs;
  while (!holds()) {
    if (SteadyNs() > deadline_ns) {
      Fail("it did not come to pass: " + what);
      return;
    }
    if (!server_->IsRunning()) throw std::runtime_error("the server ended by itself");
    step();
  }
}

// All kinds at once, until each has had what it is owed.
void OverloadCheck::CheckAbuse(Abusers* abusers) {
  for (Crowd* crowd : {&abusers->idle, &abusers->slow, &abusers->busy}) crowd->ConnectAll();
  const auto all = [](const auto& peers, const auto& holds) {
    return std::all_of(peers.begin(), peers.end(), holds);
  };
  const auto step = [&] {
    abusers->slow.GiveTurns(abusers->slow.size());
    abusers->busy.GiveTurns(abusers->busy.size());
    abusers->Pump(1);
    Stats();
  };
  Until("endless writers are closed", step, [&] {
    return all(abusers->endless_writers, [](auto* peer) { return peer->closed() > 0; });
  });
  Until("those that never read are closed", step,
        [&] { return all(abusers->never_readers, [](auto* peer) { return peer->closed() > 0; }); });
  Until("slow writers are answered", step, [&] {
    return all(abusers->slow_writers, [](auto* peer) { return peer->answered() > 1; });
  });
  Until("floods are answered", step,
        [&] { return all(abusers->flooders, [](auto* peer) { return peer->answered() > 1000; }); });
  Until("each hostile message is met with what it is owed", step, [&] {
    return all(abusers->hostiles, [&](auto* peer) { return peer->told() >= messages_.size(); });
  });
  for (SlowReader* peer : abusers->slow_readers) peer->AskNoMore();
  Until("slow readers get all of their answers", step, [&] {
    return all(abusers->slow_readers, [](auto* peer) {
      return peer->answered() > 10 && peer->answered() == peer->asked();
    });
  });
  for (IdlePeer* peer : abusers->idlers) peer->Ask();
  Until(
      "idle connections are served when they ask", [&] { abusers->Pump(1); },
      [&] { return all(abusers->idlers, [](auto* peer) { return peer->pongs() > 0; }); });
  for (const IdlePeer* peer : abusers->idlers) {
    if (peer->was_closed()) Fail("an idle connection was closed");
  }
  for (Crowd* crowd : {&abusers->idle, &abusers->slow, &abusers->busy}) TakeFailures(*crowd);
}

// As many as may be are served, and one more is told why not.
void OverloadCheck::CheckConnectionLimit() {
  // The well-behaved and this one.
  const uint64_t open = kGoodConnections + 1;
  Until(
      "the abusers' connections are gone",
      [] { std::this_thread::sleep_for(std::chrono::milliseconds(10)); },
      [&] { return Stats().at("connections") == open; });
  Crowd crowd(server_->address());
  std::vector<IdlePeer*> peers;
  for (uint64_t i = open; i < connections_; ++i) peers.push_back(crowd.Add<IdlePeer>());
  crowd.ConnectAll();
  for (IdlePeer* peer : peers) peer->Ask();
  Until(
      "connections up to the limit are served", [&] { crowd.Pump(1); },
      [&] {
        return std::all_of(peers.begin(), peers.end(),
                           [](auto* peer) { return peer->pongs() == 1; });
      });
  if (Stats().at("connections") != connections_) Fail("connections are not at their limit");
  auto refused = client::Client::Connect(server_->address());
  if (refused) {
    const auto pong = refused->Ping();
    if (pong || pong.error().message.find("too many connections") == std::string::npos) {
      Fail("the connection past the limit was not told so");
    }
  }
  if (Stats().at("connections_refused_total") != 1) Fail("connections_refused_total is not 1");
  TakeFailures(crowd);
}

// More than all buffers hold, of answers that are not taken: the server closes whom it must.
void OverloadCheck::CheckFullBuffers() {
  Crowd crowd(server_->address());
  std::vector<NeverReader*> peers;
  // Each makes the server hold a batch of answers of 8 KiB; together four times the bound.
  const size_t count = 4 * settings_.buffer_bytes_max / settings_.output_bytes_max;
  for (size_t i = 0; i < std::min(count, connections_ / 2); ++i) {
    peers.push_back(crowd.Add<NeverReader>());
  }
  crowd.ConnectAll();
  Until(
      "buffers are full and connections closed for it",
      [&] {
        crowd.GiveTurns(crowd.size());
        crowd.Pump(1);
        Stats();
      },
      [&] {
        return std::all_of(peers.begin(), peers.end(), [](auto* peer) { return peer->closed(); });
      });
  TakeFailures(crowd);
}

// Inserts are refused at the limit and nothing that is there goes for it; a revoke makes no room,
// but is done.
void OverloadCheck::CheckMemoryLimit() {
  std::vector<std::string> stored;
  bool is_full = false;
  while (!is_full) {
    std::vector<std::string> tokens;
    std::vector<client::InsertRequest> requests;
    for (size_t i = 0; i < settings_.many_max; ++i) {
      tokens.push_back("filler-" + std::to_string(stored.size() + i));
    }
    for (const std::string& token : tokens) {
      client::InsertRequest request;
      request.token = token;
      requests.push_back(request);
    }
    const auto outcomes = control_->InsertMany(requests);
    if (!outcomes) throw std::runtime_error("insert_many: " + outcomes.error().message);
    for (size_t i = 0; i < outcomes->size(); ++i) {
      const client::InsertOutcome& outcome = (*outcomes)[i];
      if (!outcome.error && !is_full) {
        stored.push_back(tokens[i]);
      } else if (!outcome.error) {
        Fail("a token was stored after one was refused for memory");
      } else {
        is_full = true;
        if (outcome.error->code != "memory_limit") Fail("an insert: " + outcome.error->code);
      }
    }
    const Json stats = Stats();
    uint64_t bytes = 0;
    for (const char* part : {"slot_bytes", "index_bytes", "wheel_bytes", "owner_bytes"}) {
      bytes += stats.at(part).get<uint64_t>();
    }
    if (bytes > settings_.memory_bytes_max) Fail("the table is larger than its limit");
  }
  std::printf("%zu tokens until memory_limit\n", stored.size());
  for (size_t first = 0; first < stored.size(); first += settings_.many_max) {
    const size_t end = std::min<size_t>(first + settings_.many_max, stored.size());
    const std::vector<client::Token> asked(stored.begin() + static_cast<ptrdiff_t>(first),
                                           stored.begin() + static_cast<ptrdiff_t>(end));
    const auto verdicts = control_->ValidateMany(asked);
    if (!verdicts) throw std::runtime_error("validate_many: " + verdicts.error().message);
    for (const client::Verdict& verdict : *verdicts) {
      if (!verdict.valid()) Fail("a live token went at the memory limit: " + verdict.reason);
    }
  }
  const auto revoked = control_->Revoke(stored[0]);
  if (!revoked || !*revoked) Fail("a revoke at the memory limit");
  const auto verdict = control_->Validate(stored[0]);
  if (!verdict || verdict->reason != "revoked") Fail("a token revoked at the memory limit");
}

void OverloadCheck::CheckAsBefore() {
  Until(
      "connections and buffers are given back",
      [] { std::this_thread::sleep_for(std::chrono::milliseconds(10)); },
      [&] {
        const Json stats = Stats();
        return stats.at("connections") == 1 && stats.at("buffered_bytes") == 0 &&
               stats.at("queue_mutations") == 0;
      });
  for (uint64_t i = 0; i < Gauge::Options().tokens; ++i) {
    const auto verdict = control_->Validate(Gauge::Token(i));
    if (!verdict || !verdict->valid() || verdict->owner != Gauge::Owner(i)) {
      Fail("a good token afterwards");
    }
  }
}

// What a sanitizer found need not show in the exit status.
void OverloadCheck::CheckLog() {
  std::ifstream file(options_.dir + "/server.log");
  const std::string log(std::istreambuf_iterator<char>(file), {});
  for (const char* sign : {"SUMMARY: ", "runtime error:", "Assertion"}) {
    if (log.find(sign) == std::string::npos) continue;
    Fail(std::string("the server's log has \"") + sign + "\"");
    std::fprintf(stderr, "%s\n", log.c_str());
    return;
  }
}

int OverloadCheck::Run() {
  messages_ =
      HostileMessages({settings_.message_bytes_max, settings_.many_max, settings_.nesting_max});
  Start(settings_.Args(connections_));
  Fill();
  {
    const std::unique_ptr<Gauge> gauge = MakeGauge();
    {
      const std::unique_ptr<Abusers> abusers = MakeAbusers();
      CheckAbuse(abusers.get());
    }
    CheckConnectionLimit();
    CheckFullBuffers();
    CheckMemoryLimit();
    std::printf("%llu answers to well-behaved connections meanwhile\n",
                static_cast<unsigned long long>(gauge->latencies().count()));
    if (gauge->wrong() != 0) Fail(gauge->failure());
    if (gauge->latencies().count() < 1000) Fail("the well-behaved got too few answers");
  }
  CheckAsBefore();
  const uint64_t bound_bytes = empty_bytes_ + settings_.MemoryBytes(connections_);
  std::printf("resident: %.1f MiB empty, %.1f MiB at most; the settings allow %.1f MiB\n",
              static_cast<double>(empty_bytes_) / kMiB,
              static_cast<double>(resident_bytes_max_) / kMiB,
              static_cast<double>(bound_bytes) / kMiB);
  if (options_.memory_is_bounded && resident_bytes_max_ > bound_bytes) {
    Fail("more memory than the settings allow");
  }
  control_.reset();
  const int status = server_->Stop();
  if (status != 0) Fail("SIGTERM ended the server with status " + std::to_string(status));
  CheckLog();
  if (failures_ != 0) {
    std::fprintf(stderr, "%llu wrong; run again with --seed %llu\n",
                 static_cast<unsigned long long>(failures_),
                 static_cast<unsigned long long>(options_.seed));
    return 1;
  }
  std::filesystem::remove_all(options_.dir);
  std::puts("each was answered or closed as it should be");
  return 0;
}

}  // namespace tokend::testing
