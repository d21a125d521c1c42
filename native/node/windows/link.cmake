# Links the addon for Windows: Node-API from the program that loads it, GCC's own libraries inside, and nothing exported but what
# Node looks for, which its headers mark.

# Functions of Node-API are looked up when one is first called (nodeApiHook.cc says where), so that the program may have any name.
find_file(NATGRAD_NODE_API_DEFINITION node_api.def PATHS ${CMAKE_JS_INC} PATH_SUFFIXES ../def NO_DEFAULT_PATH REQUIRED)
set(NATGRAD_NODE_API_LIBRARY ${CMAKE_CURRENT_BINARY_DIR}/libnode_api.a)
add_custom_command(OUTPUT ${NATGRAD_NODE_API_LIBRARY}
  COMMAND ${CMAKE_DLLTOOL} --input-def ${NATGRAD_NODE_API_DEFINITION} --output-delaylib ${NATGRAD_NODE_API_LIBRARY}
  DEPENDS ${NATGRAD_NODE_API_DEFINITION})
add_custom_target(natgrad_node_api DEPENDS ${NATGRAD_NODE_API_LIBRARY})
add_dependencies(natgrad natgrad_node_api)

target_link_libraries(natgrad PRIVATE ${NATGRAD_NODE_API_LIBRARY})
target_link_options(natgrad PRIVATE -static)
