// One HTTP request and its answer, as an endpoint sees them.
//
// An endpoint answers at once (Respond), or has a method of docs/protocol.md run, which may take a
// while (Call, Validate), and answers when it is told what that said. Whatever it needs then it
// keeps in `note`: the request is gone.
//
// Loop thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/error.h"
#include "protocol/http.h"
#include "protocol/secret.h"
#include "protocol/token.h"
#include "server/methods.h"
#include "server/space.h"

namespace tokend {

class HttpConnection;
class Loop;
struct ServerContext;

struct HttpResponse {
  unsigned status = 200;
  std::string_view content_type = "text/plain";  // empty = none is sent
  std::string_view body = {};
  std::string_view fields = {};  // whole lines
  bool closes = false;
};

// A whole line, for those who are told that nobody can say now.
inline constexpr std::string_view kRetryAfter = "Retry-After: 1\r\n";

// The words for a status.
std::string_view HttpReason(unsigned status);

// What a method has answered.
struct MethodAnswer {
  Status error;
  std::string_view id_hex;  // of the token that is in the way, where the error has one
  std::string_view result;  // one encoded value, or its form; unless there is an error
};

class HttpExchange {
 public:
  using Then = void (*)(HttpExchange& exchange, const MethodAnswer& answer);

  // What an endpoint keeps until the answer is there; its memory is used again.
  struct Note {
    TokenKey key;
    std::string text;
    Secret token;
    uint64_t number = 0;
    std::optional<uint64_t> expires_at_ms;
  };

  explicit HttpExchange(HttpConnection& connection) : connection_(connection) {}

  // Until the endpoint returns.
  const HttpRequest& request() const { return *request_; }
  HttpConnection& connection() const { return connection_; }
  Loop& loop() const;
  ServerContext& server() const;
  // What stands for {} in the endpoint's path, as sent; until the endpoint returns.
  std::string_view argument() const { return argument_; }
  void set_argument(std::string_view argument) { argument_ = argument; }
  Note& note() { return note_; }

  // The answer, once.
  void Respond(const HttpResponse& response);
  // A method, if the caller has the right to it. `params` is an encoded array; `form` is for
  // queries, and where it is given the result is what it makes.
  void Call(std::string_view method, std::string_view params, Then then, ResultForm form = nullptr);
  // The same, and to the method only this owner's tokens are there.
  void CallWithin(std::string_view owner, std::string_view method, std::string_view params,
                  Then then, ResultForm form = nullptr);
  // `then` is told `unauthenticated`, after a while: the caller's credentials are wrong.
  void RefuseCaller(Then then);
  // The method validate, of a key, whoever asks; `then` has its result.
  void Validate(const Space& space, const TokenKey& key, Then then);

 private:
  friend class HttpConnection;

  HttpConnection& connection_;
  const HttpRequest* request_ = nullptr;
  std::string_view argument_;
  Then then_ = nullptr;  // null = no method is running
  bool is_head_ = false;
  bool is_http_1_1_ = true;
  bool keep_alive_ = true;
  bool answered_ = false;
  Note note_;
  std::string result_;  // that a method is writing
};

}  // namespace tokend
