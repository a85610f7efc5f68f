import { ReadonlySignal, Signal } from "@preact/signals-core";
export { batch, computed, effect, signal, untracked, Signal, ReadonlySignal } from "@preact/signals-core";
export function useSignal<T>(value: T): Signal<T>;
export function useComputed<T>(compute: () => T): ReadonlySignal<T>;
export function useSignalEffect(effect: () => void | (() => void)): void;
