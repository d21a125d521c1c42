#include "ptx.h"

#include <array>
#include <regex>
#include <utility>

namespace natgrad::fakeCuda {
namespace {

size_t bytesOf(const std::string& type) {
  const std::string bits = type.substr(type.find_first_of("0123456789"));
  return static_cast<size_t>(std::stoi(bits)) / 8;
}

std::vector<size_t> parametersOf(const std::string& list) {
  static const std::regex one(R"(\.param\s+(?:\.align\s+\d+\s+)?\.([a-z]\d+)\s+[\w$]+(?:\[(\d+)\])?)");
  std::vector<size_t> sizes;
  for (std::sregex_iterator it(list.begin(), list.end(), one), end; it != end; ++it) {
    const size_t count = (*it)[2].matched ? std::stoul((*it)[2]) : 1;
    sizes.push_back(bytesOf((*it)[1]) * count);
  }
  return sizes;
}

}  // namespace

bool readPtx(const std::string& text, Ptx& ptx) {
  static const std::regex version(R"(\.version\s+(\d+)\.(\d+))");
  static const std::regex target(R"(\.target\s+sm_(\d+))");
  std::smatch found;
  if (!std::regex_search(text, found, version)) return false;
  ptx.version = std::stoi(found[1]) * 10 + std::stoi(found[2]);
  if (!std::regex_search(text, found, target)) return false;
  ptx.target = std::stoi(found[1]);
  for (size_t at = text.find(".entry"); at != std::string::npos; at = text.find(".entry", at)) {
    at += 6;
    const size_t name = text.find_first_not_of(" \t", at);
    const size_t open = text.find('(', name);
    const size_t close = text.find(')', open);
    if (close == std::string::npos) return false;
    ptx.entries[text.substr(name, open - name)] = parametersOf(text.substr(open, close - open));
  }
  return true;
}

int newestPtx(int driverVersion) {
  static constexpr std::array<std::pair<int, int>, 22> releases{
      {{13000, 90}, {12090, 88}, {12080, 87}, {12070, 86}, {12050, 85}, {12040, 84}, {12030, 83}, {12020, 82},
       {12010, 81}, {12000, 80}, {11080, 78}, {11070, 77}, {11060, 76}, {11050, 75}, {11040, 74}, {11030, 73},
       {11020, 72}, {11010, 71}, {11000, 70}, {10020, 65}, {10010, 64}, {10000, 63}}};
  for (const auto& [driver, ptx] : releases) {
    if (driverVersion >= driver) return ptx;
  }
  return 62;
}

}  // namespace natgrad::fakeCuda
