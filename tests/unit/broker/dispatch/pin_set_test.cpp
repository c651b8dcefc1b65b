#include "broker/dispatch/pin_set.hpp"

#include <gtest/gtest.h>

namespace mpb {
namespace {

using Slots = std::vector<Slot>;

/// "a=1,2 b= ": what the router is told.
std::string told(const PinSet::Changes& changes) {
  std::string text;
  for (const auto& [place, slots] : changes) {
    text += std::to_string(place.first) + ":" + place.second + "=";
    for (const Slot slot : slots) text += std::to_string(slot) + ",";
    text += " ";
  }
  return text;
}

TEST(PinSet, OneOfManyIsOneChange) {
  PinSet set;
  PinSet::Pins many;
  for (int i = 0; i < 10'000; ++i) many[{0, std::to_string(i)}] = {1};
  EXPECT_EQ(set.configure(many).size(), 10'000U);
  EXPECT_EQ(told(set.set({0, "7"}, {2})), "0:7=2, ");
  EXPECT_EQ(told(set.set({0, "new"}, {2, 3})), "0:new=2,3, ");
  EXPECT_EQ(told(set.set({0, "new"}, {2, 3})), "") << "nothing is different";
  EXPECT_EQ(told(set.set({0, "new"}, {})), "0:new= ");
  many[{0, "8"}] = {5};
  many.erase({0, "9"});
  EXPECT_EQ(told(set.configure(many)), "0:9= 0:8=5, ");
  EXPECT_EQ(told(set.configure(many)), "");
}

TEST(PinSet, WhatTheOperatorSaidWinsOverTheConfiguration) {
  PinSet set;
  set.configure({{{0, "a"}, {1}}});
  EXPECT_TRUE(set.has({0, "a"}));
  EXPECT_FALSE(set.has({1, "a"})) << "another space";
  EXPECT_EQ(told(set.set({0, "a"}, {2})), "0:a=2, ");
  EXPECT_EQ(told(set.configure({{{0, "a"}, {3}}})), "");
  EXPECT_EQ(told(set.set({0, "a"}, {})), "0:a= ") << "also the one of the file";
  EXPECT_FALSE(set.has({0, "a"}));
  EXPECT_EQ(told(set.configure({{{0, "a"}, {4}}})), "");
  EXPECT_EQ(told(set.configure({})), "");
  EXPECT_EQ(told(set.set({0, "a"}, {5})), "0:a=5, ");
}

TEST(PinSet, ThePinOfEveryKeyComesLast) {
  PinSet set;
  EXPECT_EQ(told(set.configure({{{0, "*"}, {1}}, {{0, "a"}, {2}}, {{1, "b"}, {3}}})),
            "0:a=2, 1:b=3, 0:*=1, ");
  EXPECT_EQ(told(set.configure({{{0, "*"}, {2}}})), "0:a= 1:b= 0:*=2, ");
}

}  // namespace
}  // namespace mpb
