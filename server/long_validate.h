// validate_many requests so long that answering one at once would hold up every other connection of
// the loop: a slice of one of them is answered in each turn, one request after another.
//
// Loop thread only.
#pragma once

#include <uv.h>

#include <cstddef>
#include <deque>
#include <memory>

#include "protocol/params.h"
#include "server/methods.h"
#include "server/uv_handle.h"
#include "storage/store.h"

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

  // Whether `params`, whose encoded form is so long, are to go through here.
  static bool IsLong(const TokensParams& params, size_t encoded_bytes);
  // Takes what `params` point into over from the connection, or a copy of it.
  void Add(Call& call, const NamespaceInfo& space, TokensParams params);

 private:
  class Request;

  void RunSlice();

  Loop& loop_;
  UvHandle<uv_idle_t> idle_;  // runs while there are requests, so that the loop does not sleep
  std::deque<std::unique_ptr<Request>> requests_;
};

}  // namespace tokend
