// The cells of one row while a reader gathers them. Their bytes are gathered in one string, and
// views made when it grows no more.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "import/table_rows.h"

namespace tokend {

class RowCells {
 public:
  static constexpr size_t kColumnsMax = 4096;  // the server's own limit

  // A longer cell is cut, and overlong.
  explicit RowCells(size_t cell_bytes_max) : cell_bytes_max_(cell_bytes_max) {}

  void Clear() {
    cells_.clear();
    begins_.clear();
    bytes_.clear();
  }
  // Begins a cell; what is kept from here to Close() is its bytes.
  Cell& Open() {
    begins_.push_back(bytes_.size());
    open_ = Cell();
    return open_;
  }
  Cell& open() { return open_; }
  std::string_view open_bytes() const { return std::string_view(bytes_).substr(begins_.back()); }
  void Keep(std::string_view bytes) {
    const size_t room =
        std::min(cell_bytes_max_ - (bytes_.size() - begins_.back()), kRowBytesMax - bytes_.size());
    if (bytes.size() > room) {
      open_.overlong = true;
      bytes = bytes.substr(0, room);
    }
    bytes_ += bytes;
  }
  // Forgets what was kept of the open cell.
  void Drop() { bytes_.resize(begins_.back()); }
  void Close() {
    if (cells_.size() <= kColumnsMax) {
      cells_.push_back(open_);
    } else {
      begins_.pop_back();  // more than any table has: one too many says it all
    }
  }
  size_t size() const { return cells_.size(); }
  // Of the closed cells; they live until Clear().
  const std::vector<Cell>& Finish() {
    for (size_t i = 0; i < cells_.size(); ++i) {
      const size_t end = i + 1 < cells_.size() ? begins_[i + 1] : bytes_.size();
      cells_[i].bytes = std::string_view(bytes_).substr(begins_[i], end - begins_[i]);
    }
    return cells_;
  }

 private:
  static constexpr size_t kRowBytesMax = 16 * 1024 * 1024;

  const size_t cell_bytes_max_;
  Cell open_;
  std::vector<Cell> cells_;
  std::vector<size_t> begins_;
  std::string bytes_;
};

}  // namespace tokend
