#include "node/tensorflow.h"

namespace natgrad::tensorflow {

const Api* findApi(std::string& obstacle) {
  obstacle = "on Windows TensorFlow is not looked for";
  return nullptr;
}

}  // namespace natgrad::tensorflow
