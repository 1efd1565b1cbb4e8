#include "base/metrics.hpp"

#include <gtest/gtest.h>

namespace trunkline {
namespace {

TEST(HistogramCell, PutsAValueIntoTheFirstBucketThatHoldsIt) {
  HistogramCell histogram({1, 2, 5});
  for (const double value : {0.5, 1.0, 1.5, 5.0, 9.0})
    histogram.observe(value);
  EXPECT_EQ(histogram.counts(), (std::vector<std::uint64_t>{2, 1, 1, 1}));
  EXPECT_DOUBLE_EQ(histogram.sum(), 17.0);
}

TEST(CellArray, KeepsACellForEachEnumerator) {
  enum class Kind { one, two, count_ };
  CellArray<Kind> cells;
  cells[Kind::two].add(3);
  cells[Kind::two].add();
  EXPECT_EQ(cells[Kind::one].get(), 0);
  EXPECT_EQ(cells[Kind::two].get(), 4);
}

}  // namespace
}  // namespace trunkline
