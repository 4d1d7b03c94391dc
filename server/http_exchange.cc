#include "server/http_exchange.h"

#include "server/dispatcher.h"
#include "server/failed_tries.h"
#include "server/http_connection.h"
#include "server/loop.h"

namespace tokend {

std::string_view HttpReason(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 507:
      return "Insufficient Storage";
    default:
      return "Internal Server Error";
  }
}

Loop& HttpExchange::loop() const { return connection_.loop(); }

ServerContext& HttpExchange::server() const { return connection_.loop().server(); }

void HttpExchange::Respond(const HttpResponse& response) { connection_.Respond(response); }

void HttpExchange::Call(std::string_view method, std::string_view params, Then then,
                        ResultForm form) {
  const Method* const row = FindMethod(method);
  then_ = then;
  Dispatcher& dispatcher = loop().dispatcher();
  loop().counters().methods[MethodIndex(*row)].Add();
  const RequestTag tag{0, false, row, form};
  if (Status status = CheckRight(connection_, *row); !status.ok()) {
    connection_.AnswerError(tag, status);
    return;
  }
  tokend::Call call{dispatcher, connection_, tag, params};
  row->handler(call);
}

void HttpExchange::CallWithin(std::string_view owner, std::string_view method,
                              std::string_view params, Then then, ResultForm form) {
  const Connection::WithinOwner within(connection_, owner);
  Call(method, params, then, form);
}

void HttpExchange::RefuseCaller(Then then) {
  then_ = then;
  AnswerFailedTry(connection_, {});
}

void HttpExchange::Validate(const Space& space, const TokenKey& key, Then then) {
  static const Method* const validate = FindMethod("validate");
  then_ = then;
  loop().counters().methods[MethodIndex(*validate)].Add();
  loop().dispatcher().batch().Add(connection_, {0, false, validate, nullptr}, space,
                                  {.is_key = true, .token = {}, .key = key});
}

}  // namespace tokend
