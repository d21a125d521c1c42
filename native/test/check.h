// A test is a sentence and a body; a body checks with CHECK and goes on after a failure.
#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

namespace natgrad::test {

struct Test {
  const char* sentence;
  std::function<void()> body;
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

inline int& failuresOfTest() {
  static int count = 0;
  return count;
}

struct Registration {
  Registration(const char* sentence, std::function<void()> body) { tests().push_back({sentence, std::move(body)}); }
};

inline void check(bool holds, const char* file, int line, const char* expression, const std::string& detail) {
  if (holds) return;
  // A test that fails for a thousand matrices need not print them all.
  if (++failuresOfTest() <= 10) std::printf("    %s:%d: %s  %s\n", file, line, expression, detail.c_str());
}

// Runs all tests of the program; the last line is "N passed, N failed".
inline int runTests() {
  int passed = 0;
  int failed = 0;
  for (const Test& test : tests()) {
    failuresOfTest() = 0;
    test.body();
    const bool good = failuresOfTest() == 0;
    std::printf("%s  %s\n", good ? "ok  " : "FAIL", test.sentence);
    std::fflush(stdout);
    ++(good ? passed : failed);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace natgrad::test

#define NATGRAD_JOIN2(a, b) a##b
#define NATGRAD_JOIN(a, b) NATGRAD_JOIN2(a, b)
#define TEST(sentence)                                                                                         \
  static void NATGRAD_JOIN(body, __LINE__)();                                                                  \
  static const natgrad::test::Registration NATGRAD_JOIN(registration, __LINE__)(sentence,                      \
                                                                                NATGRAD_JOIN(body, __LINE__)); \
  static void NATGRAD_JOIN(body, __LINE__)()
#define CHECK(condition) natgrad::test::check((condition), __FILE__, __LINE__, #condition, "")
#define CHECK_THAT(condition, detail) natgrad::test::check((condition), __FILE__, __LINE__, #condition, (detail))
