#include "import/row_batch.h"

#include <algorithm>
#include <cstring>

namespace tokend {

void RowBatch::Add(const ImportRow& row) {
  ImportRow& copy = rows_.emplace_back(row);
  copy.token.token = SecretView(Copy(row.token.token.bytes()));
  if (copy.owner) copy.owner = Copy(*row.owner);
  if (copy.name) copy.name = Copy(*row.name);
  for (std::string_view& scope : copy.scopes) scope = Copy(scope);
  copy.source_id = Copy(row.source_id);
  copy.attributes = Copy(row.attributes);
}

void RowBatch::Clear() {
  rows_.clear();
  for (Block& block : blocks_) block.used = 0;
  block_ = 0;
  text_bytes_ = 0;
}

std::string_view RowBatch::Copy(std::string_view text) {
  if (text.empty()) return {};
  while (block_ < blocks_.size() && blocks_[block_].capacity - blocks_[block_].used < text.size()) {
    ++block_;
  }
  if (block_ == blocks_.size()) {
    Block block;
    block.capacity = std::max(kBlockBytes, text.size());
    block.bytes = std::make_unique<char[]>(block.capacity);
    blocks_.push_back(std::move(block));
  }
  Block& block = blocks_[block_];
  char* at = block.bytes.get() + block.used;
  std::memcpy(at, text.data(), text.size());
  block.used += text.size();
  text_bytes_ += text.size();
  return {at, text.size()};
}

}  // namespace tokend
