# For users of node-gyp: delegates to CMake, which leaves build/Release/natgrad.node where the loader looks for it.
{
  "targets": [
    {
      "target_name": "natgrad",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake_js",
          "inputs": ["CMakeLists.txt", "scripts/build-native.cjs"],
          "outputs": ["<(PRODUCT_DIR)/natgrad.node"],
          "action": ["node", "scripts/build-native.cjs"]
        }
      ]
    }
  ]
}
