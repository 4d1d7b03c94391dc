// HTTP/1.1 requests out of bytes. Boost.Beast's parser reads them; what is here keeps the bytes
// where they lie, and refuses what a proxy in front could understand in another way (RFC 9112):
// lines that end without CR, folded fields, two lengths, a length beside chunks, two hosts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tokend {

struct HttpField {
  std::string_view name, value;  // as sent, without blanks around the value
};

// Views into the bytes that were read, and into the reader.
struct HttpRequest {
  std::string_view method;
  std::string_view path;   // of the target, as sent
  std::string_view query;  // behind the question mark
  std::string_view host;   // with its port; empty where an HTTP/1.0 request has none
  std::vector<HttpField> fields;
  std::string_view body;
  bool is_http_1_1 = true;
  bool keep_alive = true;

  // The first field of that name; null if there is none.
  const HttpField* Find(std::string_view name) const;
  // How many there are.
  size_t Count(std::string_view name) const;
};

// Without regard to the case of ASCII letters.
bool IsSameIgnoringCase(std::string_view a, std::string_view b);

class HttpReader {
 public:
  struct Limits {
    size_t header_bytes_max = 16 << 10;  // request line and fields
    size_t body_bytes_max = 64 << 10;
  };
  enum class Result : uint8_t { kNeedMore, kRequest, kRefused };

  explicit HttpReader(const Limits& limits);
  ~HttpReader();  // wipes
  HttpReader(const HttpReader&) = delete;
  HttpReader& operator=(const HttpReader&) = delete;

  // `bytes` begin with the request. After kNeedMore it goes on with the same and more behind them,
  // wherever they lie then.
  Result Read(std::string_view bytes);
  // The next call begins with another request.
  void Reset();

  // --- after kRequest ---
  const HttpRequest& request() const { return request_; }
  size_t size() const { return size_; }  // bytes that it had
  // --- after kNeedMore: the peer waits for "100 Continue" before it sends the body ---
  bool wants_continue() const { return wants_continue_; }
  // --- after kRefused: nothing behind it can be read ---
  unsigned status() const { return status_; }
  std::string_view error() const { return error_; }

 private:
  class Parser;
  struct FieldPlace {
    uint32_t name, name_size, value, value_size;  // in the bytes
  };

  Result Refuse(unsigned status, std::string_view error);
  // False where the header is not whole (kNeedMore) or refused.
  bool FindHeaderEnd(std::string_view bytes, Result* result);
  Result ReadHeader(std::string_view bytes);
  Result CheckFields(std::string_view bytes);
  Result ReadBody(std::string_view bytes);
  Result Finish(std::string_view bytes);
  std::string_view ValueOf(const FieldPlace& place, std::string_view bytes) const {
    return bytes.substr(place.value, place.value_size);
  }

  const Limits limits_;
  std::unique_ptr<Parser> parser_;  // of the request at hand
  size_t line_begin_ = 0;           // of the header, while its end is looked for
  size_t header_size_ = 0;          // 0 = its end was not seen
  size_t length_ = 0;               // of the body, where it is not chunked
  bool is_chunked_ = false;
  size_t chunks_end_ = 0;  // up to where they were read
  std::string chunks_;     // what was in them
  bool wants_continue_ = false;
  std::vector<FieldPlace> places_;
  HttpRequest request_;
  size_t size_ = 0;
  unsigned status_ = 0;
  std::string_view error_;
};

}  // namespace tokend
