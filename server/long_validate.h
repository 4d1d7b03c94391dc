// validate_many requests so long that answering one at once would hold up every other connection of
// the loop: a slice of one of them is answered in each turn, one request after another.
//
// Loop thread only.
#pragma once

#include <uv.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <string_view>

#include "protocol/rpc.h"
#include "server/methods.h"
#include "server/uv_handle.h"

namespace tokend {

class Loop;

class LongValidates {
 public:
  explicit LongValidates(Loop& loop);
  ~LongValidates();
  LongValidates(const LongValidates&) = delete;
  LongValidates& operator=(const LongValidates&) = delete;

  // 0, or a libuv error.
  int Open(uv_loop_t* loop);
  void Close() { idle_.Close(); }

  bool empty() const { return requests_.empty(); }
  // Whether a request with these params, encoded, is to go through here.
  static bool IsLong(std::string_view params, const RpcLimits& limits);
  // Takes the params over from the connection, or a copy of them.
  void Add(Call& call);

 private:
  class Request;

  void RunSlice();

  Loop& loop_;
  UvHandle<uv_idle_t> idle_;  // runs while there are requests, so that the loop does not sleep
  std::deque<std::unique_ptr<Request>> requests_;
};

}  // namespace tokend
