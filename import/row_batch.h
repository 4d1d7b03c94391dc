// Rows kept beyond the sink's call, with the bytes they point to.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "protocol/params.h"

namespace tokend {

// Append-only until Clear. Views in rows() stay valid until Clear or destruction.
class RowBatch {
 public:
  // Copies what `row` points to.
  void Add(const ImportRow& row);

  const std::vector<ImportRow>& rows() const { return rows_; }
  // Bytes of text held: about what the encoded rows take, less some dozen bytes a row.
  size_t text_bytes() const { return text_bytes_; }
  bool empty() const { return rows_.empty(); }
  // Keeps the memory for the next rows.
  void Clear();

 private:
  static constexpr size_t kBlockBytes = 64 * 1024;
  struct Block {
    std::unique_ptr<char[]> bytes;
    size_t capacity = 0;
    size_t used = 0;
  };

  std::string_view Copy(std::string_view text);

  std::vector<ImportRow> rows_;
  std::vector<Block> blocks_;
  size_t block_ = 0;  // the one being filled
  size_t text_bytes_ = 0;
};

}  // namespace tokend
