import { NatgradError } from '../errors';
import { say } from './tfjsNode/childProcess';
import { installFromDownload } from './tfjsNode/fromDownload';
import { buildFromWheel } from './tfjsNode/fromWheel';
import { installPackage, isSaved, npmMajor } from './tfjsNode/npmPackage';
import { findProject, type Project } from './tfjsNode/project';
import { runningVersion } from './tfjsNode/runningVersion';

/**
 * `natgrad tfjs-node`: installs @tensorflow/tfjs-node in the project around the current folder and sees that it computes. Its own installer
 * fetches libtensorflow from a storage bucket that firewalls tend to block and that npm 12 no longer runs unasked; where it does not
 * answer, the binding is compiled against TensorFlow's wheel for Python. What works already is left as it is.
 *
 * @throws NatgradError ERR_NATGRAD_STATE outside a project, ERR_NATGRAD_BACKEND if it cannot be had.
 */
export async function tfjsNodeCommand(flags: { save?: true }): Promise<void> {
  const project = findProject(process.cwd());
  const save = flags.save === true && !isSaved(project);
  let running = save ? null : runningVersion(project.folder);
  if (running === null) {
    const packageFolder = installPackage(project, save);
    running = runningVersion(project.folder);
    if (running === null && (await installFromDownload(packageFolder)))
      running = runningVersion(project.folder);
    if (running === null) {
      buildFromWheel(packageFolder);
      running = runningVersion(project.folder);
    }
  }
  if (running === null)
    throw new NatgradError(
      'ERR_NATGRAD_BACKEND',
      `tfjs-node is installed but does not work; \`node -e "require('@tensorflow/tfjs-node')"\` in ${project.folder} says why`,
    );
  say(`works, on TensorFlow ${running}`);
  if (project.otherManager === null) adviseOnNpm(project);
  if (Number.parseInt(process.versions.node, 10) >= 23)
    say(
      "with this Node, require('natgrad/tfjs-node-polyfill') must come before require('@tensorflow/tfjs-node')",
    );
}

/** What npm will do to it: remove what package.json does not name and, from version 12 on, skip an installer that is not approved. */
function adviseOnNpm(project: Project): void {
  if (!isSaved(project))
    say('package.json does not name it, so the next `npm install` removes it; --save writes it there');
  const major = npmMajor(project.folder);
  if (major !== null && major >= 12)
    say(
      `npm ${major} skips the installer of tfjs-node: after a fresh \`npm install\` run this command again, or approve the installer ` +
        'once by `npm install-scripts approve @tensorflow/tfjs-node`',
    );
}
