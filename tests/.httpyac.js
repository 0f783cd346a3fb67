// What httpyac needs to run requests.http and payments.http as tests; it looks for this file beside those. REST Client needs none of it.

const assert = require('node:assert/strict');

// {{NAME.response.body.$.PATH}} or {{NAME.response.headers.HEADER}}: REST Client's way to carry a value over.
const CARRIED = /^(\w+)\.response\.(?:body\.\$\.(.+)|headers\.(.+))$/;

/** What `expression` takes from an earlier response; nothing if it is some other expression. */
function carried(expression, variables) {
  const match = CARRIED.exec(expression);
  if (!match) return undefined;
  const [, name, path, header] = match;
  // httpyac keeps the response of the request that is called NAME in the variable NAMEResponse.
  const response = variables[`${name}Response`];
  const value = path
    ? path.match(/[^.[\]]+/g).reduce((part, key) => part?.[key], response?.parsedBody)
    : response?.headers?.[header.toLowerCase()];
  assert(value !== undefined && value !== null, `there is no ${expression}`);
  return value;
}

/** The status and, of a problem, its code: what `# @expect` names. */
function outcome(response) {
  const isProblem = /^application\/problem\+json\b/.test(response.headers?.['content-type']);
  const code = isProblem ? response.parsedBody?.code : undefined;
  return [response.statusCode, code].filter(Boolean).join(' ');
}

module.exports = {
  configureHooks({ hooks, utils }) {
    // What --var sets; by itself, httpyac lets the file's own variables win.
    const given = {};
    hooks.provideVariables.addHook('given', (_environments, context) => {
      Object.assign(given, context.variables);
      return {};
    });

    hooks.replaceVariable.addHook(
      'givenOrCarried',
      (text, _type, { variables }) =>
        utils.parseHandlebarsString(text, async (expression) => given[expression] ?? carried(expression, variables)),
      // 'name' would take the file's own variable.
      { before: ['name'] },
    );

    // Every request says what it expects in a line `# @expect STATUS` or `# @expect STATUS CODE`.
    hooks.onResponse.addHook('expect', (response, context) => {
      const expected = context.httpRegion.metaData.expect;
      utils.testFactory(context)(`expect ${expected}`, () => {
        assert(expected !== undefined, 'the request does not say what it expects');
        const answered = outcome(response);
        assert(answered === expected, `answered ${answered}`);
      });
    });
  },
};
