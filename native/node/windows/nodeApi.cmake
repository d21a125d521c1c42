# Node-API from the program that loads the addon: nodeApi.cc says how, and gets the names of its functions from the definition file of
# node-api-headers.
find_file(NATGRAD_NODE_API_DEFINITION node_api.def PATHS ${CMAKE_JS_INC} PATH_SUFFIXES ../def NO_DEFAULT_PATH REQUIRED)
file(STRINGS ${NATGRAD_NODE_API_DEFINITION} NATGRAD_NODE_API REGEX "^(napi|node_api)_")
list(REMOVE_DUPLICATES NATGRAD_NODE_API)
list(TRANSFORM NATGRAD_NODE_API REPLACE "(.+)" "NATGRAD_NODE_API(\\1)\n")
string(CONCAT NATGRAD_NODE_API ${NATGRAD_NODE_API})
file(CONFIGURE OUTPUT nodeApiFunctions.inc CONTENT "${NATGRAD_NODE_API}")
target_include_directories(natgrad PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
target_compile_definitions(natgrad PRIVATE "NAPI_EXTERN=__declspec(dllimport)")
