/**
 * test/public-api.txt, the listing of the public API: what a user's program can name, by entry point, and the types
 * that these refer to, without comments. `npm run reference` writes it, and test/reference.test.ts compares.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TypeScript, ts } from './oldest-typescript.js';
import { ROOT } from './programs.js';

type Node = TypeScript.Node;
type Statement = TypeScript.Statement;

/** A name as a file declares it; `file` is a module's name where that is not ours. */
interface Target {
  file: string;
  name: string;
  /** Whether a program gets the type alone: no constructor, nothing static. */
  typeOnly: boolean;
}

/** A declaration file, parsed. */
interface Module {
  source: TypeScript.SourceFile;
  declared: Map<string, Statement[]>;
  /** Of imports and exports by name. `name` is '*' for a namespace. */
  imported: Map<string, Target>;
  exported: Map<string, Target>;
  /** What `export * from` names. */
  all: string[];
  /** What is exported by an expression. */
  others: Statement[];
}

/** Where the listing is. */
export const LISTING = 'test/public-api.txt';

const printer = ts.createPrinter({ removeComments: true });
const modules = new Map<string, Module>();

/** The file that a specifier means, or the specifier if that is another package's. */
function fileOf(specifier: string, from: string): string {
  return specifier.startsWith('.') ? join(dirname(from), specifier.replace(/\.js$/, '.d.ts')) : specifier;
}

function isOurs(file: string): boolean {
  return file.endsWith('.d.ts');
}

function nameOf(statement: Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => name.getText());
  }
  const { name } = statement as Statement & { name?: TypeScript.Identifier };
  return name === undefined ? [] : [name.text];
}

function parse(file: string): Module {
  const known = modules.get(file);
  if (known !== undefined) return known;
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const module: Module = {
    source,
    declared: new Map(),
    imported: new Map(),
    exported: new Map(),
    all: [],
    others: [],
  };
  modules.set(file, module);
  for (const statement of source.statements) {
    if (ts.isImportDeclaration(statement)) readImport(statement, file, module.imported);
    else if (ts.isExportDeclaration(statement)) readExport(statement, file, module);
    else if (ts.isExportAssignment(statement)) module.others.push(statement);
    else {
      const isExported = ts.canHaveModifiers(statement)
        ? ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
        : false;
      for (const name of nameOf(statement)) {
        module.declared.set(name, [...(module.declared.get(name) ?? []), statement]);
        if (isExported) module.exported.set(name, { file, name, typeOnly: false });
      }
    }
  }
  return module;
}

function specifierOf(node: TypeScript.Expression): string {
  return (node as TypeScript.StringLiteral).text;
}

function readImport(node: TypeScript.ImportDeclaration, from: string, imported: Map<string, Target>): void {
  const { importClause: clause, moduleSpecifier } = node;
  const file = fileOf(specifierOf(moduleSpecifier), from);
  const typeOnly = clause?.isTypeOnly ?? false;
  if (clause?.name !== undefined) imported.set(clause.name.text, { file, name: 'default', typeOnly });
  const bindings = clause?.namedBindings;
  if (bindings === undefined) return;
  if (ts.isNamespaceImport(bindings)) {
    imported.set(bindings.name.text, { file, name: '*', typeOnly });
    return;
  }
  for (const { name, propertyName, isTypeOnly } of bindings.elements) {
    imported.set(name.text, {
      file,
      name: (propertyName ?? name).text,
      typeOnly: typeOnly || isTypeOnly,
    });
  }
}

function readExport(node: TypeScript.ExportDeclaration, from: string, module: Module): void {
  const { exportClause: clause, moduleSpecifier, isTypeOnly } = node;
  const file = moduleSpecifier === undefined ? from : fileOf(specifierOf(moduleSpecifier), from);
  if (clause === undefined) {
    module.all.push(file);
    return;
  }
  if (!ts.isNamedExports(clause)) throw new Error(`${from}: ${node.getText()} is not read yet`);
  for (const { name, propertyName, isTypeOnly: one } of clause.elements) {
    module.exported.set(name.text, {
      file,
      name: (propertyName ?? name).text,
      typeOnly: isTypeOnly || one,
    });
  }
}

/** Where a name is declared that a file uses or, with `exported`, exports. */
function resolve(name: string, file: string, typeOnly = false): Target | undefined {
  if (!isOurs(file)) return { file, name, typeOnly };
  const module = parse(file);
  if (module.declared.has(name)) return { file, name, typeOnly };
  const target = module.exported.get(name) ?? module.imported.get(name);
  if (target !== undefined && target.name !== '*') {
    return resolve(target.name, target.file, typeOnly || target.typeOnly);
  }
  for (const one of module.all.filter(isOurs)) {
    const found = resolve(name, one, typeOnly);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** All that a file exports by name. */
function exportsOf(file: string): Map<string, Target> {
  const { exported, all } = parse(file);
  const found = new Map(all.filter(isOurs).flatMap(one => [...exportsOf(one)]));
  for (const [name, { file, name: inside, typeOnly }] of exported) {
    const target = resolve(inside, file, typeOnly);
    if (target === undefined) throw new Error(`${name} is not declared in ${file}`);
    found.set(name, target);
  }
  return found;
}

/** A class without what its users cannot reach. */
function publicPart(statement: Statement, typeOnly: boolean): Statement {
  if (!ts.isClassDeclaration(statement)) return statement;
  const hidden = new Set([ts.SyntaxKind.PrivateKeyword]);
  if (typeOnly) hidden.add(ts.SyntaxKind.ProtectedKeyword).add(ts.SyntaxKind.StaticKeyword);
  const members = statement.members.filter(member => {
    if (member.name !== undefined && ts.isPrivateIdentifier(member.name)) return false;
    if (typeOnly && ts.isConstructorDeclaration(member)) return false;
    const modifiers = ts.canHaveModifiers(member) ? ts.getModifiers(member) : undefined;
    return !modifiers?.some(({ kind }) => hidden.has(kind));
  });
  const { modifiers, name, typeParameters, heritageClauses } = statement;
  return ts.factory.updateClassDeclaration(
    statement,
    modifiers,
    name,
    typeParameters,
    heritageClauses,
    members,
  );
}

/** What a declaration refers to, of ours. */
function referredIn(node: Node, file: string, inValue: boolean): Target[] {
  const { imported } = parse(file);
  const found: Target[] = [];
  const add = (target: Target | undefined): void => {
    if (target !== undefined && isOurs(target.file)) found.push(target);
  };
  const entity = (name: Node, typeOnly: boolean): void => {
    if (ts.isIdentifier(name)) add(resolve(name.text, file, typeOnly));
    else if (ts.isQualifiedName(name) && ts.isIdentifier(name.left)) {
      const space = imported.get(name.left.text);
      if (space?.name === '*') add(resolve(name.right.text, space.file, typeOnly));
      else entity(name.left, typeOnly);
    }
  };
  const visit = (node: Node): void => {
    if (ts.isTypeReferenceNode(node)) entity(node.typeName, true);
    else if (ts.isTypeQueryNode(node)) entity(node.exprName, false);
    else if (ts.isExpressionWithTypeArguments(node)) entity(node.expression, !inValue);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      const from = fileOf((node.argument.literal as TypeScript.StringLiteral).text, file);
      if (isOurs(from) && node.qualifier !== undefined && ts.isIdentifier(node.qualifier)) {
        add(resolve(node.qualifier.text, from, true));
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(node);
  return found;
}

/** The entry points that have types, and their declarations. */
function entryPoints(): { entry: string; file: string }[] {
  const { name, exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    name: string;
    exports: Record<string, string | { types: string }>;
  };
  return Object.entries(exports).flatMap(([path, to]) =>
    typeof to === 'string' ? [] : [{ entry: join(name, path), file: join(ROOT, to.types) }],
  );
}

/** A declaration of this name alone, where several share a statement. */
function declarationOf(name: string, statement: Statement): Statement {
  if (!ts.isVariableStatement(statement)) return statement;
  const { modifiers, declarationList } = statement;
  const declarations = declarationList.declarations.filter(one => one.name.getText() === name);
  const list = ts.factory.updateVariableDeclarationList(declarationList, declarations);
  return ts.factory.updateVariableStatement(statement, modifiers, list);
}

/** The listing as it should be. */
export function publicApi(): string {
  const parts = ['Generated by `npm run reference`: the public API of each entry point.'];
  /** What is listed by name, and where. */
  const listed = new Map<string, string>();
  const queue: Target[] = [];
  const key = ({ file, name }: Target): string => `${file} ${name}`;
  const printed = (target: Target): string[] => {
    const { source, declared } = parse(target.file);
    return declared.get(target.name)!.map(statement => {
      const shown = publicPart(declarationOf(target.name, statement), target.typeOnly);
      queue.push(...referredIn(shown, target.file, !target.typeOnly));
      return printer.printNode(ts.EmitHint.Unspecified, shown, source);
    });
  };
  const byName = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : a > b ? 1 : 0);

  for (const { entry, file } of entryPoints()) {
    parts.push(`\n// ${entry}\n`);
    const { all, others, source } = parse(file);
    for (const module of all.filter(one => !isOurs(one))) parts.push(`export * from '${module}';`);
    for (const other of others) {
      parts.push(printer.printNode(ts.EmitHint.Unspecified, other, source));
      const named = (other as TypeScript.ExportAssignment).expression.getText();
      const target = resolve(named, file);
      if (target !== undefined && isOurs(target.file)) queue.push(target);
    }
    for (const [name, target] of [...exportsOf(file)].sort(byName)) {
      const type = target.typeOnly ? 'type ' : '';
      const as = name === target.name ? name : `${target.name} as ${name}`;
      const before = listed.get(key(target));
      if (!isOurs(target.file)) parts.push(`export ${type}{ ${as} } from '${target.file}';`);
      else if (before !== undefined) parts.push(`export ${type}{ ${as} }; // ${before}`);
      else if (name !== target.name) {
        parts.push(`export ${type}{ ${as} };`);
        queue.push(target);
      } else {
        listed.set(key(target), entry);
        if (target.typeOnly) parts.push(`export type { ${name} };`);
        parts.push(...printed(target));
      }
    }
  }

  const referred = new Map<string, string[]>();
  for (let target = queue.shift(); target !== undefined; target = queue.shift()) {
    if (listed.has(key(target))) continue;
    listed.set(key(target), '');
    referred.set(`${target.name} ${target.file}`, printed(target));
  }
  parts.push('\n// What these refer to\n');
  for (const [, text] of [...referred].sort(byName)) parts.push(...text);
  return `${parts.join('\n')}\n`;
}
