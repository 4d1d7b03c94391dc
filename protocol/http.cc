#include "protocol/http.h"

#include <strings.h>

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <charconv>
#include <cstring>
#include <functional>

namespace tokend {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;

// What stands around the parts of a chunked body may be as long again as the body, and this more.
constexpr size_t kChunkHeadersBytes = 4096;
// Fields of a request: what is taken down of each is longer than the shortest field.
constexpr size_t kFieldsMax = 128;
// What a reader keeps of its memory from one request to the next: connections are many, and idle.
constexpr size_t kFieldsKept = 16;
constexpr size_t kChunkBytesKept = 256;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool IsNumber(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool IsSameIgnoringCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (Lower(a[i]) != Lower(b[i])) return false;
  }
  return true;
}

const HttpField* HttpRequest::Find(std::string_view name) const {
  const auto found = std::ranges::find_if(
      fields, [&](const HttpField& field) { return IsSameIgnoringCase(field.name, name); });
  return found == fields.end() ? nullptr : &*found;
}

size_t HttpRequest::Count(std::string_view name) const {
  return static_cast<size_t>(std::ranges::count_if(
      fields, [&](const HttpField& field) { return IsSameIgnoringCase(field.name, name); }));
}

// Takes down where things are.
class HttpReader::Parser final : public http::basic_parser<true> {
 public:
  explicit Parser(HttpReader* reader) : reader_(*reader) {
    header_limit(UINT32_MAX);  // counted by the reader
    body_limit(reader->limits_.body_bytes_max);
    eager(true);
  }

  std::string_view method, target;
  bool is_http_1_1 = false;
  // What is being parsed.
  std::string_view bytes;

 private:
  using Text = boost::beast::string_view;

  void on_request_impl(http::verb, Text method_text, Text target_text, int version,
                       error_code&) override {
    method = {method_text.data(), method_text.size()};
    target = {target_text.data(), target_text.size()};
    is_http_1_1 = version == 11;
  }
  void on_response_impl(int, Text, int, error_code&) override {}
  void on_field_impl(http::field, Text name, Text value, error_code& error) override {
    if (is_header_done_) return;  // a trailer: nobody asks for one
    if (reader_.places_.size() == kFieldsMax) {
      error = http::error::header_limit;
      return;
    }
    // A value that was folded is put together elsewhere.
    if (!value.empty() && !(std::greater_equal<>()(value.data(), bytes.data()) &&
                            std::less<>()(value.data(), bytes.data() + bytes.size()))) {
      error = http::error::bad_obs_fold;
      return;
    }
    const auto place = [&](Text text) {
      return text.empty() ? 0 : static_cast<uint32_t>(text.data() - bytes.data());
    };
    reader_.places_.push_back({place(name), static_cast<uint32_t>(name.size()), place(value),
                               static_cast<uint32_t>(value.size())});
  }
  void on_header_impl(error_code&) override { is_header_done_ = true; }
  void on_body_init_impl(const boost::optional<uint64_t>&, error_code&) override {}
  size_t on_body_impl(Text, error_code&) override { return 0; }
  void on_chunk_header_impl(uint64_t, Text, error_code&) override {}
  size_t on_chunk_body_impl(uint64_t, Text body, error_code&) override {
    reader_.chunks_.append(body.data(), body.size());
    return body.size();
  }
  void on_finish_impl(error_code&) override {}

  HttpReader& reader_;
  bool is_header_done_ = false;
};

HttpReader::HttpReader(const Limits& limits) : limits_(limits) {}

HttpReader::~HttpReader() { Reset(); }

void HttpReader::Reset() {
  parser_.reset();
  line_begin_ = header_size_ = length_ = chunks_end_ = size_ = 0;
  is_chunked_ = wants_continue_ = false;
  if (!chunks_.empty()) explicit_bzero(chunks_.data(), chunks_.size());
  chunks_.clear();
  places_.clear();
  request_.fields.clear();
  if (chunks_.capacity() > kChunkBytesKept) chunks_ = {};
  if (places_.capacity() > kFieldsKept) places_ = {};
  if (request_.fields.capacity() > kFieldsKept) request_.fields = {};
}

HttpReader::Result HttpReader::Refuse(unsigned status, std::string_view error) {
  status_ = status;
  error_ = error;
  return Result::kRefused;
}

HttpReader::Result HttpReader::Read(std::string_view bytes) {
  if (header_size_ == 0) {
    Result result = Result::kNeedMore;
    if (!FindHeaderEnd(bytes, &result)) return result;
    if (result = ReadHeader(bytes); result == Result::kRefused) return result;
  }
  return ReadBody(bytes);
}

bool HttpReader::FindHeaderEnd(std::string_view bytes, Result* result) {
  *result = Result::kNeedMore;
  if (bytes.empty()) return false;
  if (bytes[0] < 'A' || bytes[0] > 'Z') {
    // No need to wait for a line's end that may never come.
    *result = Refuse(400, "not an HTTP/1.1 request");
    return false;
  }
  const size_t seen_max = std::min(bytes.size(), limits_.header_bytes_max);
  while (true) {
    const void* found = std::memchr(bytes.data() + line_begin_, '\n', seen_max - line_begin_);
    if (found == nullptr) {
      if (bytes.size() > limits_.header_bytes_max) {
        *result = Refuse(431, "the request's header is too long");
      }
      return false;
    }
    const size_t end = static_cast<size_t>(static_cast<const char*>(found) - bytes.data());
    if (end == line_begin_ || bytes[end - 1] != '\r') {
      *result = Refuse(400, "a line must end with CR and LF");
      return false;
    }
    const bool is_empty = end - 1 == line_begin_;
    line_begin_ = end + 1;
    if (is_empty) {
      header_size_ = line_begin_;
      return true;
    }
  }
}

HttpReader::Result HttpReader::ReadHeader(std::string_view bytes) {
  parser_ = std::make_unique<Parser>(this);
  parser_->bytes = bytes.substr(0, header_size_);
  error_code error;
  const size_t taken = parser_->put(boost::asio::const_buffer(bytes.data(), header_size_), error);
  if (error == http::error::body_limit) return Refuse(413, "the request's body is too long");
  if (error == http::error::header_limit) return Refuse(431, "the request has too many fields");
  if (error == http::error::bad_transfer_encoding || error == http::error::bad_content_length) {
    return Refuse(400, "the request says in two ways, or in none, how long its body is");
  }
  if (error == http::error::bad_version) return Refuse(400, "only HTTP/1.0 and HTTP/1.1");
  if ((error && error != http::error::need_more) || !parser_->is_header_done() ||
      taken != header_size_) {
    return Refuse(400, "not an HTTP/1.1 request");
  }
  return CheckFields(bytes);
}

HttpReader::Result HttpReader::CheckFields(std::string_view bytes) {
  size_t hosts = 0, lengths = 0;
  bool expects_continue = false;
  request_.is_http_1_1 = parser_->is_http_1_1;
  request_.keep_alive = parser_->keep_alive();
  for (const FieldPlace& place : places_) {
    const std::string_view name = bytes.substr(place.name, place.name_size);
    const std::string_view value = ValueOf(place, bytes);
    if (IsSameIgnoringCase(name, "host")) {
      ++hosts;
    } else if (IsSameIgnoringCase(name, "content-length")) {
      ++lengths;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length_);
      if (lengths > 1 || !IsNumber(value) || error != std::errc()) {
        return Refuse(400, "Content-Length must be one number, once");
      }
    } else if (IsSameIgnoringCase(name, "transfer-encoding")) {
      // Who does not know the coding does not know where the body ends.
      if (!IsSameIgnoringCase(value, "chunked")) {
        return Refuse(501, "of transfer codings only chunked is known");
      }
      if (!request_.is_http_1_1) return Refuse(400, "HTTP/1.0 has no transfer codings");
      is_chunked_ = true;
      chunks_.reserve(limits_.body_bytes_max);  // so that no copies are left behind as it grows
    } else if (IsSameIgnoringCase(name, "expect")) {
      if (!IsSameIgnoringCase(value, "100-continue")) {
        return Refuse(417, "of expectations only 100-continue is known");
      }
      expects_continue = request_.is_http_1_1;
    }
  }
  if (hosts > 1 || (hosts == 0 && request_.is_http_1_1)) {
    return Refuse(400, "a request must have one Host");
  }
  wants_continue_ = expects_continue && (is_chunked_ || length_ > 0);
  chunks_end_ = header_size_;
  return Result::kRequest;
}

HttpReader::Result HttpReader::ReadBody(std::string_view bytes) {
  if (bytes.size() > header_size_) wants_continue_ = false;
  if (!is_chunked_) {
    if (bytes.size() - header_size_ < length_) return Result::kNeedMore;
    size_ = header_size_ + length_;
    request_.body = bytes.substr(header_size_, length_);
    return Finish(bytes);
  }
  error_code error;
  if (chunks_end_ < bytes.size()) {
    parser_->bytes = bytes;
    chunks_end_ += parser_->put(
        boost::asio::const_buffer(bytes.data() + chunks_end_, bytes.size() - chunks_end_), error);
  }
  if (error == http::error::body_limit) return Refuse(413, "the request's body is too long");
  if (error && error != http::error::need_more) return Refuse(400, "the body's chunks are not so");
  if (parser_->is_done()) {
    size_ = chunks_end_;
    request_.body = chunks_;
    return Finish(bytes);
  }
  if (header_size_ + bytes.size() - chunks_end_ > limits_.header_bytes_max) {
    return Refuse(431, "what stands around a chunk is too long");
  }
  if (bytes.size() - header_size_ > 2 * limits_.body_bytes_max + kChunkHeadersBytes) {
    return Refuse(413, "the request's body is in too many chunks");
  }
  return Result::kNeedMore;
}

HttpReader::Result HttpReader::Finish(std::string_view bytes) {
  // The bytes may lie elsewhere than when the header was parsed: the request line is at their
  // beginning, as it was checked then.
  const size_t method_size = parser_->method.size();
  const size_t target_begin = method_size + 1;
  request_.method = bytes.substr(0, method_size);
  std::string_view target = bytes.substr(target_begin, parser_->target.size());
  request_.host = {};
  for (const FieldPlace& place : places_) {
    request_.fields.push_back({bytes.substr(place.name, place.name_size), ValueOf(place, bytes)});
  }
  if (const HttpField* host = request_.Find("host")) request_.host = host->value;
  // "http://host/path", as clients send it to proxies, counts for more than the Host.
  if (const size_t scheme = target.find("://"); !target.starts_with('/') && scheme != target.npos) {
    target.remove_prefix(scheme + 3);
    const size_t path = std::min(target.find_first_of("/?"), target.size());
    request_.host = target.substr(0, path);
    target.remove_prefix(path);
  }
  const size_t question = target.find('?');
  request_.path = target.substr(0, question);
  request_.query = question == target.npos ? std::string_view() : target.substr(question + 1);
  return Result::kRequest;
}

}  // namespace tokend
