/** What the page uses of preact; its own types describe JSX, which has no part here. */
export type VNode = any;
export type ComponentChildren = any;
export function h(type: any, props: any, ...children: any[]): VNode;
export function render(node: VNode, parent: Element): void;
export function createContext<T>(value: T): any;
export const Fragment: any;
export class Component<P = any, S = any> {
  constructor(props?: P);
  props: P & { children?: ComponentChildren };
  state: S;
  setState(state: Partial<S>): void;
  forceUpdate(): void;
}
